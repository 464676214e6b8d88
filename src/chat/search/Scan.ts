import { Effect } from "effect"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { ChatRepo } from "../ChatRepo.ts"
import { bestPassage, readable, type Wanted, wantedOf } from "../excerpt.ts"
import { Following, isAbout } from "./Mentions.ts"
import { beginnings, best, scored, weightOf } from "./Ranking.ts"
import { type Bounds, boundsOf, readsForward, type SearchQuery, type SearchResult } from "./SearchQuery.ts"

const pageSize = 1_000

const readAll = Effect.fnUntraced(function* (repo: ChatRepo["Service"], id: string) {
  const all: Array<StoredMessage> = []
  while (true) {
    const page = yield* repo.messages(id, { after: all.at(-1)?.seq ?? -1, limit: pageSize })
    for (const message of page) all.push(message)
    if (page.length < pageSize) return all
  }
})

const isWithin = ({ createdAt, seq }: StoredMessage, { from, fromTime, to, toTime }: Bounds): boolean =>
  seq >= from && seq <= to && createdAt >= fromTime && createdAt <= toTime

const matching = (all: ReadonlyArray<StoredMessage>, query: SearchQuery, agentTools: ReadonlySet<string>) => {
  const following = new Following(agentTools)
  const bounds = boundsOf(query)
  return all.filter((message) => {
    const mentions = following.next(message.content)
    return isWithin(message, bounds) && isAbout(mentions, query)
  })
}

/** Messages, and characters, that are read in one go: others get their turn between two of these. */
const mostMessages = 32
const mostChars = 200_000

function* slicesOf(messages: ReadonlyArray<StoredMessage>) {
  let [from, chars] = [0, 0]
  for (const [index, { content }] of messages.entries()) {
    chars += readable(content).length
    if (index + 1 - from < mostMessages && chars < mostChars) continue
    yield messages.slice(from, index + 1)
    ;[from, chars] = [index + 1, 0]
  }
  yield messages.slice(from)
}

/** Applies `read` to all of them, some at a time. */
const inSlices = Effect.fnUntraced(function* <A>(
  messages: ReadonlyArray<StoredMessage>,
  read: (some: ReadonlyArray<StoredMessage>) => ReadonlyArray<A>
) {
  const all: Array<A> = []
  for (const some of slicesOf(messages)) {
    for (const one of read(some)) all.push(one)
    yield* Effect.yieldNow
  }
  return all
})

/** For each term whether the message holds it. */
const holds =
  (wanted: Wanted) =>
  ({ content }: StoredMessage): ReadonlyArray<boolean> => {
    const text = readable(content)
    return wanted.terms.map((term) => bestPassage(text, { ...wanted, terms: [term] }, 1).words > 0)
  }

const weightsIn = Effect.fnUntraced(function* (messages: ReadonlyArray<StoredMessage>, wanted: Wanted) {
  const held = yield* inSlices(messages, (some) => some.map(holds(wanted)))
  return new Map(
    wanted.terms.map((term, index) => [term.text, weightOf(held.length, held.filter((one) => one[index]).length)])
  )
})

/** Searches messages that are at hand, in the order of the database's own search; reads all of them. */
export const searchIn = Effect.fnUntraced(function* (
  all: ReadonlyArray<StoredMessage>,
  agentTools: ReadonlySet<string>,
  query: SearchQuery
) {
  const messages = matching(all, query, agentTools)
  const wanted = wantedOf(query.words ?? "")
  if (wanted.text === "") {
    const chosen = readsForward(query) ? messages : messages.toReversed()
    return { found: beginnings(chosen.slice(0, query.limit), query.chars), unsearched: 0 } satisfies SearchResult
  }
  const weights = yield* weightsIn(messages, wanted)
  const found = yield* inSlices(messages, (some) => scored(some, wanted, weights, query.chars))
  return { found: best(found, query.limit), unsearched: 0 } satisfies SearchResult
})

/** Reads the whole conversation, every time. */
export const scan = Effect.fnUntraced(function* (
  repo: ChatRepo["Service"],
  agentTools: ReadonlySet<string>,
  id: string,
  query: SearchQuery
) {
  return yield* searchIn(yield* readAll(repo, id), agentTools, query)
})
