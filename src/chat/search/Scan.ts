import { Effect } from "effect"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { ChatRepo } from "../ChatRepo.ts"
import { bestPassage, readable, type Wanted, wantedOf } from "../excerpt.ts"
import { Following, isAbout } from "./Mentions.ts"
import { beginnings, ranked, weightOf } from "./Ranking.ts"
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

const weightsIn = (messages: ReadonlyArray<StoredMessage>, wanted: Wanted) => {
  const texts = messages.map(({ content }) => readable(content))
  return new Map(
    wanted.terms.map((term) => {
      const holding = texts.filter((text) => bestPassage(text, { ...wanted, terms: [term] }, 1).words > 0).length
      return [term.text, weightOf(texts.length, holding)]
    })
  )
}

/** Reads everything, every time. */
export const scan = Effect.fnUntraced(function* (
  repo: ChatRepo["Service"],
  agentTools: ReadonlySet<string>,
  id: string,
  query: SearchQuery
) {
  const messages = matching(yield* readAll(repo, id), query, agentTools)
  const wanted = wantedOf(query.words ?? "")
  if (wanted.text === "") {
    const chosen = readsForward(query) ? messages : messages.toReversed()
    return { found: beginnings(chosen.slice(0, query.limit), query.chars), unsearched: 0 } satisfies SearchResult
  }
  const found = ranked(messages, wanted, weightsIn(messages, wanted), query)
  return { found, unsearched: 0 } satisfies SearchResult
})
