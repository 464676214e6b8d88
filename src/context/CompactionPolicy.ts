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
  /** Tokens of the prompt that have not been sent before: they are written in any case. */
  readonly freshTokens: number
  /** Requests that are still to come in this conversation, as far as experience tells. */
  readonly expectedRequests: number
  /** Of these, the share that is expected to find a cold cache. */
  readonly coldShare: number
  /** Since the previous request of this conversation; undefined for the first. */
  readonly idleMillis: number | undefined
  /** How long upstream keeps the end of the prompt: five minutes, or an hour. */
  readonly lifetimeMillis: number
  /** Nano-dollars per token: reading the prefix as this conversation has had it read until now, and writing it. */
  readonly prices: { readonly read: number; readonly write: number }
  /** Nano-dollars that the requests since the last compaction paid for reading what could have been condensed. */
  readonly excessNanoUsd: number
  /** Nano-dollars of a compaction besides the writing of its prompt: summaries by a model, thinking that is done again. */
  readonly extraNanoUsd: number
}

export interface Decision {
  readonly compact: boolean
  /** One sentence fragment for people: logs, events, `sluice context`. */
  readonly reason: string
  /** The reason's kind, of a compaction; without it, `other`. */
  readonly cause?: CompactionCause
  /**
   * What compacting now is (or would be) expected to save over the rest of the conversation, in nano-dollars; negative:
   * it costs. 0 where nothing is known yet.
   */
  readonly savesNanoUsd: number
}

/** Upstream forgets a cached prefix five minutes after the last request that read it. */
export const cacheLifetimeMillis = 5 * 60_000

/** Compacting for less than this share of the prompt is not worth what the summaries leave out. */
const worthwhile = 0.25

/** For the objective `tokens`: compact whenever it removes this share. */
const worthwhileForTokens = 0.4

/** Nano-dollars that this request pays for reading what a compaction would have removed. */
export const excessOf = (s: Situation): number => Math.max(0, s.tokens - s.floorTokens()) * s.prices.read

/** Nano-dollars that a compaction costs: what is not stable is written anew, and what is new is written anyway. */
const rewriteCost = (s: Situation, floor: number): number =>
  Math.max(0, floor - s.stableTokens - s.freshTokens) * s.prices.write + s.extraNanoUsd

/** Upstream has forgotten the end of the prompt. */
export const isCold = ({ idleMillis, lifetimeMillis }: Situation): boolean =>
  idleMillis !== undefined && idleMillis > lifetimeMillis

/**
 * Warm: rewriting what is not stable, against reading what was sent before. Cold: everything is written anyway. From then
 * on, every request reads less, or writes less where it comes too late.
 */
const savings = (s: Situation, floor: number): number => {
  const { read, write } = s.prices
  const removed = s.tokens - floor
  const now = isCold(s)
    ? removed * write - s.extraNanoUsd
    : (s.tokens - s.freshTokens) * read - rewriteCost(s, floor) - Math.min(floor, s.stableTokens) * read
  const later = s.coldShare * write + (1 - s.coldShare) * read
  return Math.round(now + removed * later * (s.expectedRequests - 1))
}

const seconds = (millis: number): number => Math.round(millis / 1000)
const dollars = (nano: number): string => `$${(nano / 1e9).toFixed(4)}`

/**
 * Decides if now is the moment: when it must be (ceiling, message count), when the cache is cold and everything has to
 * be written anyway, and when reading on has cost as much as a compaction would. That is the break-even rule of renting
 * against buying: never more than twice what somebody who knows the future would pay, and where every request adds the
 * same, exactly the cheapest size, A + sqrt(2 (w/r) (A−H) g) for A tokens after a compaction, H of them stable, growth g.
 */
export const decide = (s: Situation): Decision => {
  const idle = s.idleMillis
  const cold = isCold(s)
  const compact = (cause: CompactionCause, reason: string): Decision => ({
    compact: true,
    cause,
    reason,
    savesNanoUsd: savings(s, s.floorTokens())
  })
  const keep = (reason: string, savesNanoUsd = 0): Decision => ({ compact: false, reason, savesNanoUsd })
  if (s.upperBound > s.limit) return compact("limit", `${s.upperBound} tokens (upper bound) would exceed ${s.limit}`)
  if (s.fullMessages > s.maxMessages)
    return compact("messages", `${s.fullMessages} full messages exceed ${s.maxMessages}`)
  if (idle === undefined) return keep("the first request")
  const floor = s.floorTokens()
  const share = s.tokens === 0 ? 0 : 1 - floor / s.tokens
  if (cold && share > worthwhile) return compact("cold", `the prompt cache is cold (idle for ${seconds(idle)} s)`)
  const saved = savings(s, floor)
  if (s.objective === "tokens") {
    return share > worthwhileForTokens
      ? compact("share", `it removes ${Math.round(share * 100)} % of the tokens`)
      : keep(`it would remove only ${Math.round(share * 100)} % of the tokens`, saved)
  }
  const paid = s.excessNanoUsd + excessOf(s)
  const price = rewriteCost(s, floor)
  const balance = `reading on has cost ${dollars(paid)} since the last compaction, and one costs ${dollars(price)}`
  if (share > worthwhile && paid > price && saved > 0) return compact("price", balance)
  if (cold || share <= worthwhile) return keep("there is little to condense", saved)
  return keep(paid > price ? "it is not expected to pay any more" : `the cached prefix serves: ${balance}`, saved)
}
