import { Schema } from "effect"
import type { StoredMessage } from "../../domain/Conversation.ts"

export class SearchFailed extends Schema.TaggedError<SearchFailed>()("SearchFailed", { reason: Schema.String }) {
  override get message(): string {
    return `The history could not be searched: ${this.reason}. Try again.`
  }
}

/** Every condition holds. Without words: the first messages from a given start on, otherwise the newest. */
export interface SearchQuery {
  readonly words?: string | undefined
  /** Only messages that call this tool, or hold its result. */
  readonly tool?: string | undefined
  /** Only messages that create or command this sub-agent, or hold its results: words of its name, or its id. */
  readonly agent?: string | undefined
  /** Message numbers, inclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** When a message was stored: milliseconds since the epoch, inclusive. */
  readonly fromTime?: number | undefined
  readonly toTime?: number | undefined
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

export interface SearchResult {
  /** Best first; without words in the order of the numbers, from a start, or newest first. */
  readonly found: ReadonlyArray<Found>
  /** The newest messages that the index does not hold yet: they were not searched. */
  readonly unsearched: number
}

/** Message numbers and times, all inclusive. */
export interface Bounds {
  readonly from: number
  readonly to: number
  readonly fromTime: number
  readonly toTime: number
}

const lastSeq = 2_147_483_647

const within = (value: number | undefined, otherwise: number, highest: number): number =>
  value === undefined || Number.isNaN(value) ? otherwise : Math.round(Math.max(0, Math.min(highest, value)))

export const boundsOf = ({ from, fromTime, to, toTime }: SearchQuery): Bounds => ({
  from: within(from, 0, lastSeq),
  to: to !== undefined && to < 0 ? -1 : within(to, lastSeq, lastSeq),
  fromTime: within(fromTime, 0, Number.MAX_SAFE_INTEGER),
  toTime: within(toTime, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
})

/** Somebody who names a start reads on from there. */
export const readsForward = ({ from, fromTime }: SearchQuery): boolean => from !== undefined || fromTime !== undefined
