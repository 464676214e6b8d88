import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { Term, Wanted } from "../excerpt.ts"
import { allOf, anyOf, blockOf, blockSize, type Condition, endOf, phraseOf, queryOf } from "./Lexemes.ts"
import { messagesIn, type Progress } from "./Progress.ts"
import { weightOf } from "./Ranking.ts"
import type { Bounds } from "./SearchQuery.ts"

type Sql = SqlClient.SqlClient

/** Where is searched: these blocks of a conversation, newest first, within bounds, under a filter. */
export interface Scope {
  readonly progress: Progress
  readonly blocks: ReadonlyArray<number>
  readonly bounds: Bounds
  readonly filter: Condition | undefined
}

/** A word in more messages than this finds nothing by itself: only together with others. */
const frequent = 500
/** Messages with a word that are counted in a sample, to tell whether it is frequent without looking it up. */
const counted = 512
/** Messages that are compared in the index, and those of them that are read at least. */
const compared = 200
const leastRead = 30
/** Messages in which words may meet by chance: so few that those in which they meet for a reason fit beside them. */
const byChance = 25

const bounded = (sql: Sql, { bounds }: Scope) => sql`w.seq >= ${bounds.from}::int AND w.seq <= ${bounds.to}::int
  AND w.created_at >= ${String(bounds.fromTime)}::text::bigint AND w.created_at <= ${String(bounds.toTime)}::text::bigint`

/** For each query the numbers of messages that match it, in some order; at most `most` of them. */
const hits = Effect.fnUntraced(function* (sql: Sql, scope: Scope, queries: ReadonlyArray<string>, most: number) {
  // A query that the planner cannot see is taken to be selective, which keeps it on the index.
  const rows = yield* sql<{ readonly seqs: string | null }>`
    SELECT (SELECT string_agg(h.seq::text, ',') FROM (
      SELECT w.seq FROM message_words w WHERE w.words @@ q.query AND ${bounded(sql, scope)} LIMIT ${most}::int) AS h) AS seqs
    FROM unnest(${queries}::text[]::tsquery[]) WITH ORDINALITY AS q (query, place) ORDER BY q.place`
  return rows.map(({ seqs }) => (seqs === null ? [] : seqs.split(",").map(Number)))
})

/** For each query how many messages match it; at most `counted` of them are counted. */
const counts = Effect.fnUntraced(function* (sql: Sql, scope: Scope, queries: ReadonlyArray<string>) {
  const rows = yield* sql<{ readonly messages: number }>`
    SELECT (SELECT count(*)::int FROM (
      SELECT 1 FROM message_words w WHERE w.words @@ q.query AND ${bounded(sql, scope)} LIMIT ${counted}::int) AS h) AS messages
    FROM unnest(${queries}::text[]::tsquery[]) WITH ORDINALITY AS q (query, place) ORDER BY q.place`
  return rows.map(({ messages }) => messages)
})

/** The newest, or with `forward` the oldest, messages that match one query. */
const ordered = Effect.fnUntraced(function* (sql: Sql, scope: Scope, query: string, most: number, forward: boolean) {
  const order = sql.literal(forward ? "ASC" : "DESC")
  const rows = yield* sql<{ readonly seq: number }>`
    SELECT w.seq FROM unnest(ARRAY[${query}::text::tsquery]) AS q (query), LATERAL (
      SELECT seq FROM message_words w WHERE w.words @@ q.query AND ${bounded(sql, scope)}
      ORDER BY seq ${order} LIMIT ${most}::int) AS w`
  return rows.map(({ seq }) => seq)
})

/** Walks block by block, twice as many each time, until there is enough: what matches everywhere is found at once. */
const walk = Effect.fnUntraced(function* (sql: Sql, scope: Scope, condition: Condition, most: number, forward = false) {
  const blocks = forward ? scope.blocks.toReversed() : scope.blocks
  const found: Array<number> = []
  for (let [at, size] = [0, 1]; at < blocks.length && found.length < most; at += size, size *= 2) {
    const query = queryOf(scope.progress.key, blocks.slice(at, at + size), condition, scope.filter)
    found.push(...(yield* ordered(sql, scope, query, most - found.length, forward)))
  }
  return found
})

/** Blocks by which the others are judged. */
const sampled = ({ blocks }: Scope): ReadonlyArray<number> => [
  ...new Set([blocks[0], blocks[Math.floor(blocks.length / 2)]].filter((block) => block !== undefined))
]

interface Spread {
  readonly term: Term
  /** The messages that hold it, when they are few enough to be told. */
  readonly holders: ReadonlyArray<number> | undefined
  /** About how many messages hold it. */
  readonly messages: number
  readonly weight: number
}

const queriesFor = ({ filter, progress }: Scope, blocks: ReadonlyArray<number>, terms: ReadonlyArray<Term>) =>
  terms.map((term) => queryOf(progress.key, blocks, anyOf([term]), filter))

/** About how many messages hold each word, by a sample; nothing about a conversation that is short. */
const estimated = Effect.fnUntraced(function* (sql: Sql, scope: Scope, terms: ReadonlyArray<Term>) {
  if (scope.blocks.length <= 2) return new Map<Term, number>()
  const sample = sampled(scope)
  const found = yield* counts(sql, scope, queriesFor(scope, sample, terms))
  const share = messagesIn(scope.progress, scope.blocks) / messagesIn(scope.progress, sample)
  return new Map(terms.map((term, i) => [term, (found[i] ?? 0) * share]))
})

/** Where each word of the query occurs. */
const spreadOf = Effect.fnUntraced(function* (sql: Sql, scope: Scope, terms: ReadonlyArray<Term>) {
  const size = messagesIn(scope.progress, scope.blocks)
  const estimates = yield* estimated(sql, scope, terms)
  const rest = terms.filter((term) => (estimates.get(term) ?? 0) <= 2 * frequent)
  const found = rest.length === 0 ? [] : yield* hits(sql, scope, queriesFor(scope, scope.blocks, rest), frequent + 1)
  return terms.map((term): Spread => {
    const seqs = found[rest.indexOf(term)]
    const messages = Math.max(estimates.get(term) ?? 0, seqs?.length ?? 0)
    const isRare = seqs !== undefined && seqs.length <= frequent
    const held = isRare ? seqs.length : messages
    return { term, holders: isRare ? seqs : undefined, messages: held, weight: weightOf(size, held) }
  })
})

/** What the rare words in each message weigh together: of the messages that weigh most, among equals of the newest. */
const withRareWords = (spread: ReadonlyArray<Spread>): ReadonlyMap<number, number> => {
  const scores = new Map<number, number>()
  for (const { holders, weight } of spread) {
    for (const seq of holders ?? []) scores.set(seq, (scores.get(seq) ?? 0) + weight)
  }
  return new Map(
    Array.from(scores)
      .sort(([a, x], [b, y]) => y - x || b - a)
      .slice(0, compared)
  )
}

/**
 * As many of the words, rarest first, as hardly ever meet by chance. Where they do, the others are looked for
 * afterwards: to look all of them up is to read every place of the most frequent ones.
 */
const hardlyTogether = (spread: ReadonlyArray<Spread>, size: number): ReadonlyArray<Term> => {
  const rarest = spread.toSorted((a, b) => a.messages - b.messages)
  let [expected, count] = [size, 0]
  for (const { messages } of rarest) {
    if (count >= 2 && expected <= byChance) break
    expected *= messages / size
    count++
  }
  return rarest.slice(0, count).map(({ term }) => term)
}

interface Preference {
  readonly wanted: Wanted
  readonly common: ReadonlyArray<Spread>
  readonly most: number
}

/** Those with the phrase first, then those with the most telling words, then those where the words stand together. */
const preferred = Effect.fnUntraced(function* (
  sql: Sql,
  { progress: { key } }: Scope,
  scores: ReadonlyMap<number, number>,
  { common, most, wanted }: Preference
) {
  const seqs = Array.from(scores.keys())
  if (seqs.length <= most) return seqs
  const blocks = Array.from(new Set(seqs.map(blockOf)))
  const each = (condition: Condition) => blocks.map((block) => queryOf(key, [block], condition))
  const together = common.length === 0 ? wanted.terms : common.map(({ term }) => term)
  const weight = common.reduce((sum, one) => sum + one.weight, 0)
  const rows = yield* sql<{ readonly seq: number }>`
    SELECT w.seq FROM unnest(${seqs}::int[], ${Array.from(scores.values(), String)}::text[]::float8[]) AS c (seq, score)
    JOIN unnest(${blocks}::int[], ${each(phraseOf(wanted))}::text[]::tsquery[], ${each(allOf(together))}::text[]::tsquery[],
      ${each(allOf(wanted.terms))}::text[]::tsquery[]) AS q (block, phrase, common, every) ON q.block = c.seq / ${blockSize}::int
    JOIN message_words m ON m.conversation = ${key}::text::bigint AND m.seq = c.seq
    -- Unpacked once, not by every operator.
    CROSS JOIN LATERAL (SELECT m.seq, m.words || ''::tsvector AS words OFFSET 0) AS w
    ORDER BY w.words @@ q.phrase DESC, c.score + CASE WHEN w.words @@ q.common THEN ${String(weight)}::text::float8 ELSE 0 END DESC,
      ts_rank_cd(w.words, q.every) DESC, w.seq DESC
    LIMIT ${most}::int`
  return rows.map(({ seq }) => seq)
})

export interface Candidates {
  readonly seqs: ReadonlyArray<number>
  readonly weights: ReadonlyMap<string, number>
}

/**
 * The messages that may hold the query best. Exact where some word is in at most 500 messages; of words that are
 * all more frequent, the newest messages that hold them together, then the newest that hold any.
 */
export const candidates = Effect.fnUntraced(function* (sql: Sql, scope: Scope, wanted: Wanted, limit: number) {
  const spread = yield* spreadOf(sql, scope, wanted.terms)
  const common = spread.filter(({ holders }) => holders === undefined)
  const terms = common.map(({ term }) => term)
  const scores = new Map(withRareWords(spread))
  const add = (seqs: ReadonlyArray<number>) => {
    for (const seq of seqs) if (!scores.has(seq)) scores.set(seq, 0)
  }
  if (common.length > 1 || (common.length === 1 && scores.size < limit)) {
    const size = messagesIn(scope.progress, scope.blocks)
    add(yield* walk(sql, scope, allOf(hardlyTogether(common, size)), compared))
    if (scores.size < limit) add(yield* walk(sql, scope, anyOf(terms), compared))
  }
  return {
    seqs: yield* preferred(sql, scope, scores, { wanted, common, most: Math.max(leastRead, 2 * limit) }),
    weights: new Map(spread.map(({ term, weight }) => [term.text, weight]))
  } satisfies Candidates
})

/** The newest or the first messages that pass the filter. */
export const filtered = (sql: Sql, scope: Scope, filter: Condition, limit: number, forward: boolean) =>
  walk(sql, { ...scope, filter: undefined }, filter, limit, forward)

const everWhen = ({ bounds: { fromTime, toTime } }: Scope): boolean =>
  fromTime === 0 && toTime === Number.MAX_SAFE_INTEGER

/** The newest or the first messages within the bounds, when nothing else is asked. Numbers have no gaps. */
export const inOrder = Effect.fnUntraced(function* (sql: Sql, scope: Scope, most: number, forward: boolean) {
  const { bounds, progress } = scope
  const last = Math.min(bounds.to, progress.indexed - 1)
  if (everWhen(scope)) {
    const length = Math.max(0, Math.min(most, last - bounds.from + 1))
    return Array.from({ length }, (_, i) => (forward ? bounds.from + i : last - i))
  }
  const found: Array<number> = []
  for (const block of forward ? scope.blocks.toReversed() : scope.blocks) {
    if (found.length >= most) break
    const rows = yield* sql<{ readonly seq: number }>`SELECT seq FROM message_words w
      WHERE w.conversation = ${progress.key}::text::bigint AND w.seq >= ${block * blockSize}::int AND w.seq < ${endOf(block)}::int
        AND ${bounded(sql, scope)}
      ORDER BY seq ${sql.literal(forward ? "ASC" : "DESC")} LIMIT ${most - found.length}::int`
    found.push(...rows.map(({ seq }) => seq))
  }
  return found
})
