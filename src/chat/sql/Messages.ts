import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { Encoded, HistoryBound, MessagesPage } from "../ChatInput.ts"
import { ConversationNotFound } from "../ChatRepoError.ts"
import * as Rows from "./Rows.ts"

type Sql = SqlClient.SqlClient

/** One statement carries at most so much; a larger append is several statements in one transaction. */
const batch = { messages: 500, bytes: 8 * 1024 * 1024 }

const batchesOf = (messages: ReadonlyArray<Encoded>): ReadonlyArray<ReadonlyArray<Encoded>> => {
  const batches: Array<Array<Encoded>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const message of messages) {
    const last = batches.at(-1)
    bytes += message.bytes
    if (last !== undefined && bytes <= batch.bytes && last.length < batch.messages) last.push(message)
    else {
      batches.push([message])
      bytes = message.bytes
    }
  }
  return batches
}

/**
 * Takes the next numbers and stores the messages in one statement: the conversation's row is locked from the first to the
 * commit, so numbers have no gaps whoever writes, and a reader sees both or neither.
 */
const insert = (sql: Sql, id: string, messages: ReadonlyArray<Encoded>, now: number) => {
  const tokens = messages.map(({ message }) => message.tokens)
  const sum = tokens.reduce((a, b) => a + b, 0)
  return sql<{ readonly first: number }>`
    WITH input AS (
      SELECT ord, role, content, tokens, sum(tokens) OVER (ORDER BY ord) - tokens AS before
      FROM unnest(${messages.map(({ message }) => message.role)}::text[], ${messages.map(({ json }) => json)}::text[],
        ${tokens}::int[]) WITH ORDINALITY AS t (role, content, tokens, ord)
    ), conversation AS (
      UPDATE conversations SET messages = messages + ${messages.length}::int, tokens = tokens + ${sum}::bigint
      WHERE id = ${id} RETURNING key, messages - ${messages.length}::int AS first, tokens - ${sum}::bigint AS tokens
    ), added AS (
      INSERT INTO messages (conversation, seq, role, content, tokens, tokens_before, created_at)
      SELECT key, first + ord - 1, role, content, input.tokens, conversation.tokens + before, ${now}::bigint
      FROM conversation, input
    )
    SELECT first FROM conversation`
}

const columns = (sql: Sql) => sql.literal("seq, role, content, tokens, created_at::float8 AS created_at")

/** Nothing is found for an unknown conversation, one empty row for one without messages on the page. */
const ofConversation = (sql: Sql, id: string, page: Statement) =>
  sql`SELECT m.* FROM conversations c LEFT JOIN LATERAL (${page}) m ON true WHERE c.id = ${id}`

type Statement = ReturnType<typeof pageQuery>

const pageQuery = (sql: Sql, { after, before, limit }: MessagesPage) => {
  const where = sql.and([
    sql`conversation = c.key`,
    ...(before === undefined ? [] : [sql`seq < ${before}::bigint`]),
    ...(after === undefined ? [] : [sql`seq > ${after}::bigint`])
  ])
  const order = sql.literal(before === undefined && after !== undefined ? "ASC" : "DESC")
  return sql`SELECT ${columns(sql)} FROM messages WHERE ${where} ORDER BY seq ${order} LIMIT ${limit}::int`
}

export const page = (sql: Sql, id: string, bounds: MessagesPage) => ofConversation(sql, id, pageQuery(sql, bounds))

/**
 * `tokens_before` only grows with `seq`, so what fits the budget is one range of the index, newest first: the cost is that
 * of the result, however long the conversation.
 */
export const history = (sql: Sql, id: string, { limit, maxTokens }: HistoryBound) =>
  ofConversation(
    sql,
    id,
    sql`SELECT ${columns(sql)} FROM messages
      WHERE conversation = c.key AND tokens_before >= c.tokens - ${maxTokens}::bigint
      ORDER BY tokens_before DESC, seq DESC LIMIT ${limit}::int`
  )

const isMessage = (row: object): boolean => "seq" in row && row.seq !== null

/** Runs `page` or `history`; the messages come in order of `seq`. */
export const read = Effect.fnUntraced(function* (id: string, query: Statement) {
  const rows = yield* query
  if (rows.length === 0) return yield* new ConversationNotFound({ conversation: id })
  const messages = yield* Rows.messages(rows.filter(isMessage))
  const ascending = messages.length < 2 || (messages[0]?.seq ?? 0) < (messages[1]?.seq ?? 0)
  return ascending ? messages : messages.toReversed()
})

/** All or none, in order. */
export const append = Effect.fnUntraced(function* (sql: Sql, id: string, messages: ReadonlyArray<Encoded>) {
  const createdAt = yield* Clock.currentTimeMillis
  const insertBatch = Effect.fnUntraced(function* (part: ReadonlyArray<Encoded>) {
    const [row] = yield* insert(sql, id, part, createdAt)
    if (row === undefined) return yield* new ConversationNotFound({ conversation: id })
    return part.map(
      ({ message: { content, role, tokens } }, i): StoredMessage => ({
        seq: row.first + i,
        role,
        content,
        tokens,
        createdAt
      })
    )
  })
  const batches = batchesOf(messages)
  const inserted = Effect.forEach(batches, insertBatch)
  return (yield* batches.length > 1 ? sql.withTransaction(inserted) : inserted).flat()
})
