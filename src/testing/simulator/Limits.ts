import { LRUCache } from "lru-cache"

/** Limits per key and model class; what is missing is not limited. Tokens count as upstream counts them. */
export interface LimitOptions {
  readonly requestsPerMinute?: number | undefined
  /** Uncached input and cache writes. */
  readonly inputTokensPerMinute?: number | undefined
  readonly outputTokensPerMinute?: number | undefined
}

type Name = "requests" | "input-tokens" | "output-tokens"

/** A bucket that holds one minute's worth and is refilled continuously. Output may overdraw it. */
class Bucket {
  readonly limit: number
  #level: number
  #at: number

  constructor(limit: number, now: number) {
    this.limit = limit
    this.#level = limit
    this.#at = now
  }

  level(now: number): number {
    this.#level = Math.min(this.limit, this.#level + (Math.max(0, now - this.#at) * this.limit) / 60_000)
    this.#at = Math.max(this.#at, now)
    return this.#level
  }

  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount
  }

  /** Milliseconds until `amount` is there. */
  wait(amount: number, now: number): number {
    return Math.ceil(((amount - this.level(now)) * 60_000) / this.limit)
  }

  /** Milliseconds until it is full. */
  full(now: number): number {
    return this.wait(this.limit, now)
  }
}

export interface Verdict {
  readonly headers: Readonly<Record<string, string>>
  /** Set when the request is refused: what ran out, and how long until it would pass. */
  readonly refused?: { readonly what: Name; readonly waitMillis: number }
}

interface Pool {
  readonly buckets: ReadonlyMap<Name, Bucket>
}

const thousands = (level: number): number => Math.max(0, Math.floor(level / 1_000) * 1_000)

const headersOf = (pool: Pool, now: number): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const [name, bucket] of pool.buckets) {
    const level = bucket.level(now)
    const remaining = name === "requests" ? Math.max(0, Math.floor(level)) : thousands(level)
    headers[`anthropic-ratelimit-${name}-limit`] = String(bucket.limit)
    headers[`anthropic-ratelimit-${name}-remaining`] = String(remaining)
    headers[`anthropic-ratelimit-${name}-reset`] = new Date(now + bucket.full(now)).toISOString().replace(".000", "")
  }
  return headers
}

/** Enforces limits the way upstream does: token buckets, one set per key and model class. Holds 10,000 sets. */
export class Limits {
  readonly #options: LimitOptions
  readonly #pools = new LRUCache<string, Pool>({ max: 10_000 })

  constructor(options: LimitOptions) {
    this.#options = options
  }

  #pool(owner: string, now: number): Pool {
    const known = this.#pools.get(owner)
    if (known !== undefined) return known
    const { inputTokensPerMinute, outputTokensPerMinute, requestsPerMinute } = this.#options
    const limits: ReadonlyArray<readonly [Name, number | undefined]> = [
      ["requests", requestsPerMinute],
      ["input-tokens", inputTokensPerMinute],
      ["output-tokens", outputTokensPerMinute]
    ]
    const buckets = limits.flatMap(([name, limit]) =>
      limit === undefined ? [] : [[name, new Bucket(limit, now)] as const]
    )
    const pool = { buckets: new Map(buckets) }
    this.#pools.set(owner, pool)
    return pool
  }

  /** Takes a request and its input tokens, or refuses. Output is refused only when it is already used up. */
  admit(owner: string, inputTokens: number, now: number): Verdict {
    const pool = this.#pool(owner, now)
    const needs: Readonly<Record<Name, number>> = { requests: 1, "input-tokens": inputTokens, "output-tokens": 1 }
    for (const [what, bucket] of pool.buckets) {
      const waitMillis = bucket.wait(needs[what], now)
      if (waitMillis > 0) return { headers: headersOf(pool, now), refused: { what, waitMillis } }
    }
    pool.buckets.get("requests")?.take(1, now)
    pool.buckets.get("input-tokens")?.take(inputTokens, now)
    return { headers: headersOf(pool, now) }
  }

  /** Counts output as it is generated. */
  generated(owner: string, outputTokens: number, now: number): void {
    this.#pool(owner, now).buckets.get("output-tokens")?.take(outputTokens, now)
  }
}
