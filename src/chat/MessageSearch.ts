import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isToolResult, isToolUse } from "../domain/Message.ts"
import { ChatRepo, type ChatRepoError, type ConversationNotFound } from "./ChatRepo.ts"
import { bestPassage, phraseWords, queryWords, readable } from "./excerpt.ts"

export class SearchFailed extends Schema.TaggedError<SearchFailed>()("SearchFailed", { reason: Schema.String }) {
  override get message(): string {
    return `The history could not be searched: ${this.reason}. Try again.`
  }
}

export interface SearchQuery {
  readonly words: string
  /** Only messages that call this tool, or hold its result. */
  readonly tool?: string | undefined
  /** Message numbers, inclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Excerpts at most, and characters of each. */
  readonly limit: number
  readonly chars: number
}

export interface Found {
  readonly seq: number
  readonly role: StoredMessage["role"]
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly excerpt: string
}

/** Finds what was said in a conversation, however long ago: nothing that was condensed is lost. */
export class MessageSearch extends Context.Service<
  MessageSearch,
  {
    readonly search: (
      conversation: string,
      query: SearchQuery
    ) => Effect.Effect<ReadonlyArray<Found>, SearchFailed | ChatRepoError | ConversationNotFound>
  }
>()("sluice/chat/MessageSearch") {
  /** On the words that the database indexes. Cost: of the matches, not of the conversation, once it is indexed. */
  static readonly layer: Layer.Layer<MessageSearch, never, ChatRepo | SqlClient.SqlClient> = Layer.effect(
    MessageSearch,
    Effect.suspend(() => makeIndexed)
  )

  /** Reads the whole conversation at every search: for specs, and where there is no SQL. */
  static readonly layerScan: Layer.Layer<MessageSearch, never, ChatRepo> = Layer.effect(
    MessageSearch,
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      return MessageSearch.of({ search: (id, query) => Effect.map(readAll(repo, id), (all) => pick(all, query)) })
    })
  )
}

/** Messages taken into one index step, and candidates that are ranked. */
const indexStep = 2_000
const candidates = 60
const pageSize = 1_000

const readAll = Effect.fnUntraced(function* (repo: ChatRepo["Service"], id: string) {
  const all: Array<StoredMessage> = []
  while (true) {
    const page = yield* repo.messages(id, { after: all.at(-1)?.seq ?? -1, limit: pageSize })
    for (const message of page) all.push(message)
    if (page.length < pageSize) return all
  }
})

const concerns = (message: StoredMessage, tool: string): boolean =>
  blocksOf(message.content).some((block) => (isToolUse(block) ? block.name === tool : isToolResult(block)))

/** The best messages first; among equals the newest. */
const pick = (messages: ReadonlyArray<StoredMessage>, query: SearchQuery): ReadonlyArray<Found> => {
  return messages
    .filter(({ seq }) => seq >= (query.from ?? 0) && seq <= (query.to ?? Number.MAX_SAFE_INTEGER))
    .filter((message) => query.tool === undefined || concerns(message, query.tool))
    .map((message) => ({ message, match: bestPassage(readable(message.content), query.words, query.chars) }))
    .filter(({ match }) => match.words > 0 || match.exact > 0)
    .sort(
      (a, b) =>
        b.match.exact - a.match.exact ||
        b.match.near - a.match.near ||
        b.match.words - a.match.words ||
        b.message.seq - a.message.seq
    )
    .slice(0, query.limit)
    .map(({ match, message: { createdAt, role, seq } }) => ({ seq, role, createdAt, excerpt: match.excerpt }))
}

/** Words are lower-case and free of punctuation, so quoting is all they need. */
const tsquery = (words: ReadonlyArray<string>, operator: "&" | "|" | "<->"): string =>
  words.map((word) => `'${word}'${word.length > 3 && operator !== "<->" ? ":*" : ""}`).join(` ${operator} `)

const makeIndexed = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const sql = yield* SqlClient.SqlClient

  const step = (id: string) => sql<{ readonly seq: number }>`
    INSERT INTO message_words (conversation, seq, words)
    SELECT m.conversation, m.seq, to_tsvector('simple', regexp_replace(
      regexp_replace(left(m.content, 200000), '\\\\([nrtbf]|u[0-9a-f]{4})', ' ', 'g'),
      '[\\x01-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f]+', ' ', 'g'))
    FROM messages m JOIN conversations c ON c.key = m.conversation
    WHERE c.id = ${id} AND m.seq > coalesce(
      (SELECT max(w.seq) FROM message_words w WHERE w.conversation = c.key), -1)
    ORDER BY m.seq LIMIT ${indexStep}::int
    ON CONFLICT DO NOTHING RETURNING seq`

  const index = Effect.fnUntraced(function* (id: string) {
    while ((yield* step(id)).length === indexStep) yield* Effect.yieldNow
  })

  const matches = (id: string, words: string, { from, to }: SearchQuery) => sql<{ readonly seq: number }>`
    SELECT seq FROM (
      SELECT w.seq, w.words FROM message_words w JOIN conversations c ON c.key = w.conversation
      WHERE c.id = ${id} AND w.words @@ ${words}::tsquery
        AND w.seq >= ${from ?? 0}::int AND w.seq <= ${to ?? 2_147_483_647}::int
      LIMIT 5000) AS hit
    ORDER BY ts_rank(words, ${words}::tsquery) DESC, seq DESC LIMIT ${candidates}::int`

  /** For a query of nothing but punctuation, which has no words to index. */
  const containing = (id: string, text: string, { from, to }: SearchQuery) => sql<{ readonly seq: number }>`
    SELECT m.seq FROM messages m JOIN conversations c ON c.key = m.conversation
    WHERE c.id = ${id} AND strpos(m.content, ${JSON.stringify(text).slice(1, -1)}) > 0
      AND m.seq >= ${from ?? 0}::int AND m.seq <= ${to ?? 2_147_483_647}::int
    ORDER BY m.seq DESC LIMIT ${candidates}::int`

  const rowsFor = Effect.fnUntraced(function* (id: string, query: SearchQuery) {
    const words = queryWords(query.words)
    const text = query.words.trim()
    if (words.length === 0) return text.length === 0 ? [] : yield* containing(id, text, query)
    yield* index(id)
    const phrase = yield* matches(id, tsquery(phraseWords(text), "<->"), query)
    const all = phrase.length >= query.limit ? [] : yield* matches(id, tsquery(words, "&"), query)
    const enough = phrase.length + all.length >= query.limit
    return [...phrase, ...all, ...(enough ? [] : yield* matches(id, tsquery(words, "|"), query))]
  })

  const read = (id: string, seqs: ReadonlyArray<number>) =>
    Effect.forEach(seqs, (seq) => repo.messages(id, { after: seq - 1, before: seq + 1, limit: 1 }), { concurrency: 4 })

  const search = Effect.fn("MessageSearch.search")(function* (id: string, query: SearchQuery) {
    yield* repo.get(id)
    const rows = yield* rowsFor(id, query).pipe(
      Effect.mapError((error) => new SearchFailed({ reason: error.reason._tag }))
    )
    const seqs = Array.from(new Set(rows.map(({ seq }) => seq))).slice(0, 2 * candidates)
    return pick((yield* read(id, seqs)).flat(), query)
  })

  return MessageSearch.of({ search })
})
