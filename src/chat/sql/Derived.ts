import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Agent, Segment } from "../../domain/Conversation.ts"
import { ConversationNotFound } from "../ChatRepoError.ts"
import { newestByName } from "../Merge.ts"
import * as Rows from "./Rows.ts"

type Sql = SqlClient.SqlClient
type Query = ReturnType<typeof segmentsQuery>

/** Nothing is found for an unknown conversation, one empty row for one that has none. */
export const ofConversation = (sql: Sql, id: string, query: Query) =>
  sql<{ readonly found: boolean | null }>`
    SELECT x.* FROM conversations c LEFT JOIN LATERAL (${query}) x ON true WHERE c.id = ${id}`

const read = Effect.fnUntraced(function* (sql: Sql, id: string, query: Query) {
  const rows = yield* ofConversation(sql, id, query)
  if (rows.length === 0) return yield* new ConversationNotFound({ conversation: id })
  return rows.filter((row) => row.found === true)
})

interface Wanted {
  /** Only those that begin before that message. */
  readonly before?: number | undefined
  readonly hashes?: ReadonlyArray<string> | undefined
}

export const segmentsQuery = (sql: Sql, { before, hashes }: Wanted) =>
  sql`SELECT true AS found, hash, detail, from_seq AS "from", to_seq AS "to", text, tokens, created_at::float8 AS created_at
    FROM segments WHERE conversation = c.key ${before === undefined ? sql.literal("") : sql`AND from_seq < ${before}::int`}
    ${hashes === undefined ? sql.literal("") : sql`AND hash = ANY(${hashes}::text[])`}
    ORDER BY from_seq, detail, hash`

/** By `from`, then detail. */
export const segments = Effect.fnUntraced(function* (sql: Sql, id: string, wanted: Wanted) {
  return yield* Rows.segments(yield* read(sql, id, segmentsQuery(sql, wanted)))
})

export const agents = Effect.fnUntraced(function* (sql: Sql, id: string) {
  const query = sql`SELECT true AS found, name, status, last_seq, updated_at::float8 AS updated_at
    FROM agents WHERE conversation = c.key`
  return newestByName(yield* Rows.agents(yield* read(sql, id, query)))
})

/** `insert` reads the conversation's key from the table expression `owner`. */
const write = Effect.fnUntraced(function* (sql: Sql, id: string, insert: Query) {
  const rows = yield* sql`
    WITH owner AS (SELECT key FROM conversations WHERE id = ${id}), written AS (${insert}) SELECT key FROM owner`
  if (rows.length === 0) return yield* new ConversationNotFound({ conversation: id })
})

export const saveSegments = (sql: Sql, id: string, segments: ReadonlyArray<Segment>) =>
  write(
    sql,
    id,
    sql`INSERT INTO segments (conversation, hash, detail, from_seq, to_seq, text, tokens, created_at)
      SELECT owner.key, t.* FROM owner, unnest(${segments.map((s) => s.hash)}::text[],
        ${segments.map((s) => s.detail)}::text[], ${segments.map((s) => s.from)}::int[],
        ${segments.map((s) => s.to)}::int[], ${segments.map((s) => JSON.stringify(s.text))}::text[],
        ${segments.map((s) => s.tokens)}::int[], ${segments.map((s) => String(s.createdAt))}::text[]::bigint[]) AS t
      ON CONFLICT (conversation, hash) DO NOTHING`
  )

export const saveAgents = (sql: Sql, id: string, agents: ReadonlyArray<Agent>) => {
  const newest = newestByName(agents)
  return write(
    sql,
    id,
    sql`INSERT INTO agents (conversation, name, status, last_seq, updated_at)
      SELECT owner.key, t.* FROM owner, unnest(${newest.map((a) => JSON.stringify(a.name))}::text[],
        ${newest.map((a) => JSON.stringify(a.status))}::text[], ${newest.map((a) => a.lastSeq)}::int[],
        ${newest.map((a) => String(a.updatedAt))}::text[]::bigint[]) AS t
      ON CONFLICT (conversation, name) DO UPDATE
      SET status = excluded.status, last_seq = excluded.last_seq, updated_at = excluded.updated_at
      WHERE excluded.last_seq >= agents.last_seq`
  )
}
