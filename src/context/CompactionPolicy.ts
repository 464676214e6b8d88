import type { CompactionCause } from "../domain/Event.ts"

/** What the policy looks at. Token figures are estimates of the request that is about to be sent. */
export interface Situation {
  readonly objective: "dollars" | "tokens"
  /** Tokens of the whole prompt, and the bound that must stay under `limit`. */
  readonly tokens: number
  readonly upperBound: number
  readonly limit: number
  /** Full messages in the context, and how many are allowed. */
  readonly fullMessages: number
  readonly maxMessages: number
  /** Tokens of the prompt after a compaction, and of its part that would keep its bytes (system, tools, heavy segments). */
  readonly floorTokens: () => number
  readonly stableTokens: number
  /** Tokens that one request adds, on average; requests of this conversation until now. */
  readonly growthTokens: number
  readonly requests: number
  /** Since the previous request of this conversation; undefined for the first. */
  readonly idleMillis: number | undefined
  /** Nano-dollars per token: reading a cached prefix, writing it. */
  readonly prices: { readonly read: number; readonly write: number }
}

export interface Decision {
  readonly compact: boolean
  /** One sentence fragment for people: logs, events, `sluice context`. */
  readonly reason: string
  /** The reason's kind, of a compaction; without it, `other`. */
  readonly cause?: CompactionCause
  /** What compacting now is expected to save over the rest of the conversation, in nano-dollars; negative: it costs. */
  readonly savesNanoUsd: number
}

/** Upstream forgets a cached prefix five minutes after the last request that read it. */
export const cacheLifetimeMillis = 5 * 60_000

/** Compacting for less than this share of the prompt is not worth what the summaries leave out. */
const worthwhile = 0.25

/** For the objective `tokens`: compact whenever it removes this share. */
const worthwhileForTokens = 0.4

/**
 * The prompt size at which compacting is cheapest. With A tokens after a compaction, of which H keep their bytes, and g
 * more at each request, compacting at U costs per request r(A+U)/2 for reading and w(A−H)g/(U−A) for rewriting; the sum
 * is least at U = A + sqrt(2 (w/r) (A−H) g), as in the economic order quantity.
 */
export const cheapestThreshold = (s: Situation, floor: number): number =>
  floor + Math.sqrt(2 * (s.prices.write / s.prices.read) * Math.max(0, floor - s.stableTokens) * s.growthTokens)

/** A conversation that has had n requests has n more before it, half of the time. */
const expectedRequests = (s: Situation): number => Math.max(1, s.requests)

/** Warm: rewriting what is not stable, against reading less at every request to come. Cold: everything is written anyway. */
const savings = (s: Situation, floor: number, cold: boolean): number => {
  const removed = s.tokens - floor
  const now = cold ? removed * s.prices.write : s.tokens * s.prices.read - rewriteCost(s, floor)
  return Math.round(now + removed * s.prices.read * (expectedRequests(s) - 1))
}

const rewriteCost = (s: Situation, floor: number): number => {
  const stable = Math.min(s.stableTokens, floor)
  return stable * s.prices.read + (floor - stable) * s.prices.write
}

const seconds = (millis: number): number => Math.round(millis / 1000)

/**
 * Decides if now is the moment: when it must be (ceiling, message count), when the cache is cold and everything has to
 * be written anyway, and when the prompt has grown to the size at which rewriting it is cheaper than reading it on.
 */
export const decide = (s: Situation): Decision => {
  const idle = s.idleMillis
  const cold = idle !== undefined && idle > cacheLifetimeMillis
  const compact = (cause: CompactionCause, reason: string): Decision => ({
    compact: true,
    cause,
    reason,
    savesNanoUsd: savings(s, s.floorTokens(), cold)
  })
  const keep = (reason: string): Decision => ({ compact: false, reason, savesNanoUsd: 0 })
  if (s.upperBound > s.limit) return compact("limit", `${s.upperBound} tokens (upper bound) would exceed ${s.limit}`)
  if (s.fullMessages > s.maxMessages)
    return compact("messages", `${s.fullMessages} full messages exceed ${s.maxMessages}`)
  if (idle === undefined) return keep("the first request")
  const floor = s.floorTokens()
  const share = s.tokens === 0 ? 0 : 1 - floor / s.tokens
  if (cold && share > worthwhile) return compact("cold", `the prompt cache is cold (idle for ${seconds(idle)} s)`)
  if (s.objective === "tokens") {
    return share > worthwhileForTokens
      ? compact("share", `it removes ${Math.round(share * 100)} % of the tokens`)
      : keep(`it would remove only ${Math.round(share * 100)} % of the tokens`)
  }
  const threshold = Math.round(cheapestThreshold(s, floor))
  if (share > worthwhile && s.tokens > threshold && savings(s, floor, cold) > 0) {
    return compact("price", `${s.tokens} tokens are past the cheapest size of ${threshold}`)
  }
  return keep(cold ? "the cache is cold, but there is little to condense" : "the cached prefix is kept")
}
