import { Context, type Effect, Schema, type Scope } from "effect"
import type { Caller } from "../domain/Caller.ts"
import type { Usage } from "../domain/Usage.ts"

/** Why a request was not admitted. */
export class RateLimitError extends Schema.TaggedError<RateLimitError>()("RateLimitError", {
  reason: Schema.Literals(["TooLarge", "QueueFull", "DeadlineExceeded"]),
  model: Schema.String,
  message: Schema.String,
  retryAfterMillis: Schema.Natural
}) {}

/** Expected consumption of one request, in tokens; `inputTokens` is what upstream will count (uncached input and cache writes). */
export interface ReserveRequest {
  readonly model: string
  readonly caller: Caller
  readonly inputTokens: number
  readonly outputTokens: number
  readonly deadlineMillis?: number | undefined
}

export interface Reservation {
  readonly id: number
  readonly model: string
  readonly waitedMillis: number
}

export interface LimiterStats {
  readonly enabled: boolean
  /** Input tokens admitted in the last 60 seconds, and the limit. */
  readonly used: number
  readonly limit: number
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
    readonly expectedWaitMillis: number
    readonly byPriority: Readonly<Record<string, number>>
  }
}

/** Admits requests fairly below the limits: exact over any 60-second window, reserve first, settle on the real usage. */
export class TokenRateLimiter extends Context.Service<
  TokenRateLimiter,
  {
    /**
     * Waits its turn. The reservation belongs to the scope: closing it frees the concurrency slot, and gives the tokens
     * back when nothing was settled.
     */
    readonly reserve: (request: ReserveRequest) => Effect.Effect<Reservation, RateLimitError, Scope.Scope>
    /** Corrects the window to what upstream counted. Idempotent per reservation. */
    readonly settle: (reservation: Reservation, usage: Usage) => Effect.Effect<void>
    /** Learns from `anthropic-ratelimit-*` and `retry-after` headers (lower-case names). */
    readonly observe: (model: string, status: number, headers: Readonly<Record<string, string>>) => Effect.Effect<void>
    readonly stats: Effect.Effect<LimiterStats>
  }
>()("sluice/limits/TokenRateLimiter") {}
