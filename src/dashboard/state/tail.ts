import type { CompactionEvent, Frame, UsageEvent } from "../api/types.ts"

/** One governed request, as the live feed told it. */
export interface Request extends UsageEvent {
  readonly key: string
  readonly at: number
}

export interface Compaction extends CompactionEvent {
  readonly key: string
  readonly at: number
}

/** What is remembered of the feed: a bounded number of the newest, newest first. */
export interface Tail {
  readonly requests: ReadonlyArray<Request>
  readonly compactions: ReadonlyArray<Compaction>
  /** Requests heard since the page was opened, also those that were forgotten. */
  readonly heard: number
}

export const emptyTail: Tail = { requests: [], compactions: [], heard: 0 }

export const mostRequests = 1_000
const mostCompactions = 300

/** Frames that are told again, as after a reconnection, count once. */
export const extended = (tail: Tail, frames: ReadonlyArray<Frame>): Tail => {
  const known = new Set([...tail.requests, ...tail.compactions].map(({ key }) => key))
  const requests: Array<Request> = []
  const compactions: Array<Compaction> = []
  for (const { at, event, seq } of frames) {
    // Another process numbers anew, but not at the same moment.
    const key = `${at}.${seq}`
    if (known.has(key)) continue
    if (event._tag === "Usage") requests.push({ ...event, at, key })
    else if (event._tag === "Compaction") compactions.push({ ...event, at, key })
  }
  if (requests.length === 0 && compactions.length === 0) return tail
  return {
    requests: [...requests.reverse(), ...tail.requests].slice(0, mostRequests),
    compactions: [...compactions.reverse(), ...tail.compactions].slice(0, mostCompactions),
    heard: tail.heard + requests.length
  }
}

export interface Filter {
  readonly model: string
  readonly tenant: string
  readonly agent: string
  readonly cache: string
  readonly status: string
}

export const noFilter: Filter = { model: "", tenant: "", agent: "", cache: "", status: "" }

const fields = ["model", "tenant", "agent", "cache", "status"] as const

export const filtered = (requests: ReadonlyArray<Request>, filter: Filter): ReadonlyArray<Request> =>
  requests.filter((request) => fields.every((field) => filter[field] === "" || request[field] === filter[field]))

/** The values that a filter may choose from. */
export const choices = (requests: ReadonlyArray<Request>, field: keyof Filter): ReadonlyArray<string> =>
  [...new Set(requests.map((request) => request[field]))].sort()

/** One bar of the waterfall: its beginning and length in milliseconds. */
export interface Stage {
  readonly name: string
  readonly from: number
  readonly millis: number
  readonly tone: "wait" | "work" | "cache"
}

/** Stage timings, as far as the event carries them. */
export const stagesOf = (request: Request): ReadonlyArray<Stage> => {
  const { cache, queueMillis, upstreamMillis } = request
  const queue: Stage = { name: "Waiting for its turn", from: 0, millis: queueMillis, tone: "wait" }
  if (cache === "hit") return [{ name: "Answered from the cache", from: 0, millis: upstreamMillis, tone: "cache" }]
  const name = cache === "coalesced" ? "Sharing another request's answer" : "Upstream"
  return [queue, { name, from: queueMillis, millis: upstreamMillis, tone: cache === "coalesced" ? "cache" : "work" }]
}
