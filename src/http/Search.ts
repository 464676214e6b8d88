import type { SearchQuery } from "../chat/MessageSearch.ts"
import { endMillis, startMillis } from "../chat/search/Times.ts"

/** Characters of an excerpt, and excerpts where no other number is asked for. */
const chars = 500
const defaultLimit = 10

interface Asked {
  readonly q?: string
  readonly tool?: string
  readonly agent?: string
  readonly from?: number
  readonly to?: number
  readonly fromTime?: string
  readonly toTime?: string
  readonly limit?: number
}

/** Searches as a URL asks for it. */
export const searchAs = <A>(
  search: (query: SearchQuery) => A,
  { fromTime, limit = defaultLimit, q, toTime, ...asked }: Asked
): A => search({ ...asked, words: q, fromTime: startMillis(fromTime), toTime: endMillis(toTime), limit, chars })
