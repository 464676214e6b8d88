import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { type IdentifiedConversation, type ListPage, unknownCursor } from "../ChatInput.ts"
import { ConversationNotFound } from "../ChatRepoError.ts"
import * as Rows from "./Rows.ts"

type Sql = SqlClient.SqlClient

const columns = (sql: Sql) => sql.literal("id, tenant, title, model, messages, created_at::float8 AS created_at")

export const get = Effect.fnUntraced(function* (sql: Sql, id: string) {
  const rows = yield* sql`SELECT ${columns(sql)} FROM conversations WHERE id = ${id}`
  const [found] = yield* Rows.conversations(rows)
  return found ?? (yield* new ConversationNotFound({ conversation: id }))
})

export const create = Effect.fnUntraced(function* (sql: Sql, { id, model, tenant, title }: IdentifiedConversation) {
  const now = yield* Clock.currentTimeMillis
  const rows = yield* sql`INSERT INTO conversations (id, tenant, title, model, created_at)
    VALUES (${id}, ${tenant}, ${title ?? null}, ${model ?? null}, ${now}::bigint)
    ON CONFLICT (id) DO NOTHING RETURNING ${columns(sql)}`
  const [created] = yield* Rows.conversations(rows)
  return created ?? (yield* get(sql, id))
})

/** A row comparison, because its order comes from no other index: a tenant's page costs the same wherever its rows lie. */
const ofTenant = (sql: Sql, tenant: string, cursor: bigint) =>
  sql`(tenant, key) < (${tenant}, ${cursor}) AND tenant >= ${tenant} ORDER BY tenant DESC, key DESC`

const newest = 2n ** 63n - 1n

export const listQuery = (sql: Sql, { limit, tenant }: ListPage, cursor = newest) => {
  const range = tenant === undefined ? sql`key < ${cursor} ORDER BY key DESC` : ofTenant(sql, tenant, cursor)
  return sql`SELECT ${columns(sql)} FROM conversations WHERE ${range} LIMIT ${limit}::int`
}

export const list = Effect.fnUntraced(function* (sql: Sql, page: ListPage) {
  const cursor = page.before === undefined ? undefined : yield* keyOf(sql, page.before)
  return yield* Rows.conversations(yield* listQuery(sql, page, cursor))
})

const keyOf = Effect.fnUntraced(function* (sql: Sql, id: string) {
  const [row] = yield* sql<{ readonly key: bigint }>`SELECT key FROM conversations WHERE id = ${id}`
  return row === undefined ? yield* unknownCursor(id) : row.key
})

export const layout = Effect.fnUntraced(function* (sql: Sql, id: string) {
  const [row] = yield* sql<{ readonly layout: string | null }>`SELECT layout FROM conversations WHERE id = ${id}`
  return row === undefined ? yield* new ConversationNotFound({ conversation: id }) : row.layout
})

export const saveLayout = Effect.fnUntraced(function* (sql: Sql, id: string, layout: string) {
  const rows = yield* sql`UPDATE conversations SET layout = ${layout} WHERE id = ${id} RETURNING key`
  if (rows.length === 0) return yield* new ConversationNotFound({ conversation: id })
})
