/** What the policy looks at. Token figures are estimates of the request that is about to be sent. */
export interface Situation {
  /** Tokens of the whole prompt, and the bound that must stay under `limit`. */
  readonly tokens: number
  readonly upperBound: number
  readonly limit: number
  /** Full messages in the context, and how many are allowed. */
  readonly fullMessages: number
  readonly maxMessages: number
  /** Tokens that a compaction could not remove: system, tools, segments, the newest messages. */
  readonly floorTokens: () => number
  /** Since the previous request of this conversation; undefined for the first. */
  readonly idleMillis: number | undefined
}

export interface Decision {
  readonly compact: boolean
  /** One sentence fragment for people: logs, events, `sluice context`. */
  readonly reason: string
}

/** Upstream forgets a cached prefix five minutes after the last request that read it. */
export const cacheLifetimeMillis = 5 * 60_000

/** With a cold cache the whole prompt is written anew anyway: compacting pays as soon as it removes this share of it. */
const worthwhileWhenCold = 0.4

const keep = (reason: string): Decision => ({ compact: false, reason })
const compact = (reason: string): Decision => ({ compact: true, reason })

/**
 * Decides if now is the moment. A compaction rewrites the prompt behind the heavy segments, and writing costs 12 to 50
 * times as much as reading it from the prompt cache: so it happens when it must (ceiling, message count) or when the
 * cache is cold and everything has to be written anyway.
 */
export const decide = (s: Situation): Decision => {
  if (s.upperBound > s.limit) return compact(`${s.upperBound} tokens (upper bound) would exceed ${s.limit}`)
  if (s.fullMessages > s.maxMessages) return compact(`${s.fullMessages} full messages exceed ${s.maxMessages}`)
  const cold = s.idleMillis !== undefined && s.idleMillis > cacheLifetimeMillis
  if (cold && s.tokens - s.floorTokens() > s.tokens * worthwhileWhenCold) {
    return compact(`the prompt cache is cold (idle for ${Math.round((s.idleMillis ?? 0) / 1000)} s)`)
  }
  return keep(cold ? "the cache is cold, but there is little to condense" : "the cached prefix is kept")
}
