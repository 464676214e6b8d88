import { Clock, Effect, Latch, Semaphore, Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { ChatRepo } from "../ChatRepo.ts"
import type { ChatRepoError, ConversationNotFound } from "../ChatRepoError.ts"
import { readable } from "../excerpt.ts"
import * as Rows from "../sql/Rows.ts"
import { blockOf, blockSize, endOf, vectorOf } from "./Lexemes.ts"
import { callsBefore, Following } from "./Mentions.ts"
import { type Progress, progressOf } from "./Progress.ts"

type Sql = SqlClient.SqlClient

/** One step takes so many messages and bytes at most, or one message: nobody waits long for the database. */
const step = { messages: 12, bytes: 256 * 1024 }

/** Messages before a step in which the calls of its results are looked for. */
const lookback = 64

/** What is appended is indexed so much later, many messages at once; steps in the background leave room for others. */
const settle = "1 second"
const pause = "20 millis"

/** Conversations that wait for the background; one more is indexed when it is searched. */
const mostWaiting = 10_000

/** A search waits so long for messages that are not indexed yet. Milliseconds. */
const patience = 2_000

const columns = (sql: Sql) => sql.literal("seq, role, content, tokens, created_at::float8 AS created_at")

const unindexed = (sql: Sql, progress: Progress) =>
  Effect.flatMap(
    sql`SELECT ${columns(sql)} FROM (
      SELECT *, sum(octet_length(content)) OVER (ORDER BY seq) - octet_length(content) AS before FROM (
        SELECT * FROM messages WHERE conversation = ${progress.key}::text::bigint
          AND seq >= ${progress.indexed}::int AND seq < ${endOf(blockOf(progress.indexed))}::int
        ORDER BY seq LIMIT ${step.messages}::int) AS next) AS measured
    WHERE before < ${step.bytes}::int ORDER BY seq`,
    Rows.messages
  )

const earlier = (sql: Sql, { indexed, key }: Progress) =>
  Effect.flatMap(
    sql`SELECT ${columns(sql)} FROM messages WHERE conversation = ${key}::text::bigint
      AND seq >= ${indexed - lookback}::int AND seq < ${indexed}::int AND content LIKE '%"tool_use"%' ORDER BY seq`,
    Rows.messages
  )

/** Takes nothing when somebody else has taken the same messages meanwhile. */
const write = (sql: Sql, { indexed, key }: Progress, messages: ReadonlyArray<StoredMessage>, words: Array<string>) => {
  const times = messages.map(({ createdAt }) => createdAt)
  const block = blockOf(indexed)
  const held = indexed - block * blockSize
  return sql`WITH taken AS (
      INSERT INTO search_blocks AS b (conversation, block, messages, first_at, last_at)
      VALUES (${key}::text::bigint, ${block}::int, ${held + messages.length}::int,
        ${String(Math.min(...times))}::text::bigint, ${String(Math.max(...times))}::text::bigint)
      ON CONFLICT (conversation, block) DO UPDATE SET messages = excluded.messages,
        first_at = least(b.first_at, excluded.first_at), last_at = greatest(b.last_at, excluded.last_at)
        WHERE b.messages = ${held}::int
      RETURNING conversation)
    INSERT INTO message_words (conversation, seq, created_at, words)
    SELECT taken.conversation, m.seq, m.at, m.words::tsvector FROM taken, unnest(${messages.map(({ seq }) => seq)}::int[],
      ${times.map(String)}::text[]::bigint[], ${words}::text[]) AS m (seq, at, words)`
}

type Failure = SqlError.SqlError | ChatRepoError | ConversationNotFound

export interface Indexer {
  /** Indexes what is not yet, for a while; what is missing then goes on in the background. */
  readonly catchUp: (id: string) => Effect.Effect<Progress, Failure>
}

/** One step after another, one at a time in this process. */
const makeSteps = Effect.fnUntraced(function* (sql: Sql, agentTools: ReadonlySet<string>) {
  const turn = yield* Semaphore.make(1)

  const vectors = Effect.fnUntraced(function* (progress: Progress, messages: ReadonlyArray<StoredMessage>) {
    const following = new Following(agentTools)
    const contents = messages.map(({ content }) => content)
    if (callsBefore(contents).length > 0) {
      for (const { content } of yield* earlier(sql, progress)) following.remember(content)
    }
    return yield* Effect.forEach(messages, ({ content, seq }) =>
      Effect.as(Effect.yieldNow, vectorOf(progress.key, seq, readable(content), following.next(content)))
    )
  })

  return Effect.fnUntraced(function* (id: string) {
    const progress = yield* progressOf(sql, id)
    if (progress.indexed >= progress.messages) return { progress, done: true }
    const messages = yield* unindexed(sql, progress)
    yield* write(sql, progress, messages, yield* vectors(progress, messages))
    return { progress, done: false }
  }, turn.withPermits(1))
})

type Advance = Effect.Success<ReturnType<typeof makeSteps>>

/** Works off what it is told, for as long as the scope is open. */
const makeBackground = Effect.fnUntraced(function* (advance: Advance) {
  const waiting = new Set<string>()
  const awake = yield* Latch.make()

  const goOn = Effect.fnUntraced(function* (id: string) {
    while (!(yield* advance(id)).done) yield* Effect.sleep(pause)
  })
  const work = Effect.gen(function* () {
    yield* awake.await
    yield* Effect.sleep(settle)
    yield* awake.close
    const ids = Array.from(waiting)
    waiting.clear()
    yield* Effect.forEach(ids, (id) => Effect.ignore(goOn(id), { log: "Debug" }), { discard: true })
  })
  yield* Effect.forkScoped(Effect.forever(work))

  return (id: string) =>
    Effect.suspend(() => {
      if (waiting.size < mostWaiting) waiting.add(id)
      return awake.open
    })
})

/** Indexes conversations in small steps: in the background while they grow, or because somebody searches. */
export const makeIndexer = Effect.fnUntraced(function* (
  sql: Sql,
  repo: ChatRepo["Service"],
  agentTools: ReadonlySet<string>
) {
  const advance = yield* makeSteps(sql, agentTools)
  const later = yield* makeBackground(advance)
  yield* Effect.forkScoped(Stream.runForEach(repo.appends, later), { startImmediately: true })

  const catchUp = Effect.fnUntraced(function* (id: string) {
    const until = (yield* Clock.currentTimeMillis) + patience
    while (true) {
      const { done, progress } = yield* advance(id)
      if (done) return progress
      if ((yield* Clock.currentTimeMillis) < until) continue
      yield* later(id)
      return yield* progressOf(sql, id)
    }
  })
  return { catchUp } satisfies Indexer
})
