import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { ConversationId } from "../ChatInput.ts"
import { ConversationNotFound } from "../ChatRepoError.ts"
import { blockSize } from "./Lexemes.ts"
import type { Bounds } from "./SearchQuery.ts"

type Sql = SqlClient.SqlClient

interface Block {
  readonly block: number
  readonly messages: number
  /** Milliseconds since the epoch: the earliest and the latest message in it. */
  readonly firstAt: number
  readonly lastAt: number
}

/** How far the index of a conversation has come. */
export interface Progress {
  /** The conversation as its rows name it. */
  readonly key: string
  readonly messages: number
  /** Messages from 0 on that the index holds. */
  readonly indexed: number
  readonly blocks: ReadonlyArray<Block>
}

interface Row {
  readonly key: string
  readonly messages: number
  readonly block: number | null
  readonly held: number
  readonly firstAt: number
  readonly lastAt: number
}

const isId = Schema.is(ConversationId)

export const progressOf = Effect.fnUntraced(function* (sql: Sql, id: string) {
  if (!isId(id)) return yield* new ConversationNotFound({ conversation: id })
  const rows = yield* sql<Row>`SELECT c.key::text AS key, c.messages, b.block, b.messages AS held,
      b.first_at::float8 AS first_at, b.last_at::float8 AS last_at
    FROM conversations c LEFT JOIN search_blocks b ON b.conversation = c.key WHERE c.id = ${id} ORDER BY b.block`
  const [first] = rows
  if (first === undefined) return yield* new ConversationNotFound({ conversation: id })
  const blocks = rows.flatMap(({ block, firstAt, held, lastAt }) =>
    block === null ? [] : [{ block, messages: held, firstAt, lastAt }]
  )
  const last = blocks.at(-1)
  const indexed = last === undefined ? 0 : last.block * blockSize + last.messages
  return { key: first.key, messages: first.messages, indexed, blocks } satisfies Progress
})

/** The blocks that may hold what lies within these bounds, newest first. */
export const blocksWithin = ({ blocks }: Progress, { from, fromTime, to, toTime }: Bounds): ReadonlyArray<number> =>
  blocks
    .filter(({ block, firstAt, lastAt, messages }) => {
      const start = block * blockSize
      return start <= to && start + messages > from && firstAt <= toTime && lastAt >= fromTime
    })
    .map(({ block }) => block)
    .reverse()

export const messagesIn = ({ blocks }: Progress, chosen: ReadonlyArray<number>): number =>
  blocks.reduce((sum, { block, messages }) => sum + (chosen.includes(block) ? messages : 0), 0)
