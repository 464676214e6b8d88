import { Effect } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import type { ChatRepo } from "../ChatRepo.ts"
import { type Wanted, wantedOf } from "../excerpt.ts"
import { reasonOf } from "../SqlReason.ts"
import * as Rows from "../sql/Rows.ts"
import { candidates, filtered, inOrder, type Scope } from "./Candidates.ts"
import { makeIndexer } from "./Indexer.ts"
import { blockSize, endOf, filterOf } from "./Lexemes.ts"
import { blocksWithin, type Progress } from "./Progress.ts"
import { beginnings, ranked } from "./Ranking.ts"
import { boundsOf, readsForward, SearchFailed, type SearchQuery, type SearchResult } from "./SearchQuery.ts"

type Sql = SqlClient.SqlClient

/** Bytes of messages that one search reads, and messages that a search for punctuation looks through. */
const mostBytes = 4 * 1024 * 1024
const looked = 1_000

const scopeOf = (progress: Progress, query: SearchQuery): Scope => {
  const asked = boundsOf(query)
  const blocks = blocksWithin(progress, asked)
  const from = Math.max(asked.from, (blocks.at(-1) ?? 0) * blockSize)
  const to = Math.min(asked.to, endOf(blocks[0] ?? 0) - 1)
  return { progress, blocks, bounds: { ...asked, from, to }, filter: filterOf(query) }
}

/** The messages of these numbers, in that order. */
const reading = Effect.fnUntraced(function* (sql: Sql, key: string, seqs: ReadonlyArray<number>) {
  if (seqs.length === 0) return []
  const rows = yield* sql`
    SELECT seq, role, content, tokens, created_at::float8 AS created_at FROM (
      SELECT m.*, place, sum(octet_length(content)) OVER (ORDER BY place) - octet_length(content) AS before
      FROM unnest(${seqs}::int[]) WITH ORDINALITY AS s (wanted, place)
      JOIN messages m ON m.conversation = ${key}::text::bigint AND m.seq = s.wanted) AS measured
    WHERE before < ${mostBytes}::int ORDER BY place`
  return yield* Rows.messages(rows)
})

/** For a query of nothing but punctuation, which has no words to index: the newest messages are looked through. */
const containing = Effect.fnUntraced(function* (sql: Sql, scope: Scope, text: string, limit: number) {
  const newest =
    scope.filter === undefined
      ? yield* inOrder(sql, scope, looked, false)
      : yield* filtered(sql, scope, scope.filter, looked, false)
  const rows = yield* sql<{ readonly seq: number }>`SELECT seq FROM messages
    WHERE conversation = ${scope.progress.key}::text::bigint AND seq = ANY(${newest}::int[])
      AND strpos(content, ${JSON.stringify(text).slice(1, -1)}) > 0
    ORDER BY seq DESC LIMIT ${5 * limit}::int`
  return rows.map(({ seq }) => seq)
})

const withoutWords = Effect.fnUntraced(function* (sql: Sql, scope: Scope, query: SearchQuery) {
  const forward = readsForward(query)
  const seqs =
    scope.filter === undefined
      ? yield* inOrder(sql, scope, query.limit, forward)
      : yield* filtered(sql, scope, scope.filter, query.limit, forward)
  return beginnings(yield* reading(sql, scope.progress.key, seqs), query.chars)
})

const withWords = Effect.fnUntraced(function* (sql: Sql, scope: Scope, query: SearchQuery, wanted: Wanted) {
  const { seqs, weights } =
    wanted.terms.length > 0
      ? yield* candidates(sql, scope, wanted, query.limit)
      : { seqs: yield* containing(sql, scope, wanted.text, query.limit), weights: new Map<string, number>() }
  return ranked(yield* reading(sql, scope.progress.key, seqs), wanted, weights, query)
})

const failed = <E>(error: E | SqlError.SqlError) =>
  SqlError.isSqlError(error) ? new SearchFailed({ reason: reasonOf(error) }) : error

/** Searches the index; what was appended a moment ago is taken into it first. */
export const searchIndexed = Effect.fnUntraced(function* (
  sql: Sql,
  repo: ChatRepo["Service"],
  agentTools: ReadonlySet<string>
) {
  const { catchUp } = yield* makeIndexer(sql, repo, agentTools)
  return Effect.fnUntraced(function* (id: string, query: SearchQuery) {
    const progress = yield* catchUp(id)
    const scope = scopeOf(progress, query)
    const wanted = wantedOf(query.words ?? "")
    const found =
      wanted.text === "" ? yield* withoutWords(sql, scope, query) : yield* withWords(sql, scope, query, wanted)
    return { found, unsearched: Math.max(0, progress.messages - progress.indexed) } satisfies SearchResult
  }, Effect.mapError(failed))
})
