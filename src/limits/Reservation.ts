import { Schema } from "effect"
import type { Caller } from "../domain/Caller.ts"

/** Why a request was not admitted. */
export class RateLimitError extends Schema.TaggedError<RateLimitError>()("RateLimitError", {
  reason: Schema.Literals(["TooLarge", "QueueFull", "DeadlineExceeded", "TenantLimit"]),
  model: Schema.String,
  message: Schema.String,
  retryAfterMillis: Schema.Natural
}) {}

/**
 * Expected consumption of one request, in tokens; `inputTokens` is what upstream will count (uncached input and cache
 * writes), `outputTokens` what the model will probably write (not `max_tokens`).
 */
export interface ReserveRequest {
  readonly model: string
  readonly caller: Caller
  readonly inputTokens: number
  readonly outputTokens: number
  /** Tells a client's own key from others: upstream's limits are the key's. Undefined: the server's own. */
  readonly account?: string | undefined
  /** How long it may wait, from now. */
  readonly deadlineMillis?: number | undefined
}

export interface Reservation {
  readonly id: number
  readonly model: string
  /** Whole milliseconds spent in the queue. */
  readonly waitedMillis: number
}

/** What is known of one of upstream's pools. */
export interface UpstreamStats {
  readonly modelClass: string
  /** Input tokens per minute as upstream announced them. */
  readonly inputLimit: number | null
  /** What should be left of them now. */
  readonly inputRemaining: number | null
  /** 0 unless upstream asked for a pause. */
  readonly pausedMillis: number
}

export interface LimiterStats {
  readonly enabled: boolean
  /** Input tokens admitted in the last 60 seconds, and the limit. */
  readonly used: number
  readonly limit: number
  /** 0 to 100, and more when requests took more than they had reserved. */
  readonly percent: number
  /** Until the oldest admission leaves the window. */
  readonly resetsInMillis: number
  readonly outputUsed: number
  readonly outputLimit: number | null
  readonly requestsUsed: number
  readonly requestsLimit: number | null
  readonly inFlight: number
  readonly maxInFlight: number
  readonly queue: {
    readonly length: number
    readonly oldestMillis: number
    /** Of a request that came now, if nothing overtook it. */
    readonly expectedWaitMillis: number
    readonly byPriority: Readonly<Record<string, number>>
  }
  /** Upstream's pools that requests went to. */
  readonly classes?: ReadonlyArray<UpstreamStats>
}
