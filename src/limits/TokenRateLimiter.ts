import { Context, Effect, Layer, type Scope } from "effect"
import { Tenants } from "../access/Tenants.ts"
import type { Event } from "../domain/Event.ts"
import type { Usage } from "../domain/Usage.ts"
import { Events } from "../events/Events.ts"
import { Settings } from "../Settings.ts"
import { makeLimiter, type RefusalKind } from "./Limiter.ts"
import { defaultLimits, fromSettings, type Limits } from "./Limits.ts"
import type { WaitingRequest } from "./QueueView.ts"
import { layerRequestRateMemory } from "./RequestRate.ts"
import type { LimiterStats, RateLimitError, Reservation, ReserveRequest } from "./Reservation.ts"

export type { RefusalKind } from "./Limiter.ts"
export type { Limits } from "./Limits.ts"
export type { WaitingRequest } from "./QueueView.ts"
export {
  type LimiterStats,
  RateLimitError,
  type Reservation,
  type ReserveRequest,
  type UpstreamStats
} from "./Reservation.ts"

/**
 * Admits requests fairly below the limits: exact over any 60-second window, reserve first, settle on the real usage.
 * How and why: docs/decisions/0001-exact-token-window.md.
 */
export class TokenRateLimiter extends Context.Service<
  TokenRateLimiter,
  {
    /**
     * Waits its turn; interrupting it, or its deadline, leaves nothing behind. The reservation belongs to the scope:
     * closing it frees the concurrency slot, and gives the tokens back when nothing was settled. Fails at once with
     * `TooLarge` when the request can never be admitted and with `QueueFull` when too many wait.
     */
    readonly reserve: (request: ReserveRequest) => Effect.Effect<Reservation, RateLimitError, Scope.Scope>
    /** Corrects the window to what upstream counted. Idempotent per reservation; to be called before its scope closes. */
    readonly settle: (reservation: Reservation, usage: Usage) => Effect.Effect<void>
    /**
     * Learns from `anthropic-ratelimit-*` and `retry-after` headers (lower-case names). `kind` says what a 429 was about:
     * the limiter pauses the model's class for `rate` and `ramp`, and for a 429 of unknown kind, never for `spend`.
     * `account` as in the reservation: only requests with the same key are meant.
     */
    readonly observe: (
      model: string,
      status: number,
      headers: Readonly<Record<string, string>>,
      kind?: RefusalKind,
      account?: string
    ) => Effect.Effect<void>
    readonly stats: Effect.Effect<LimiterStats>
    /** The first `count` waiting requests, in the order in which they will probably go, with position and expected wait. */
    readonly waiting: (count: number) => Effect.Effect<ReadonlyArray<WaitingRequest>>
  }
>()("sluice/limits/TokenRateLimiter") {
  /** On `limits`, telling `publish`. The reservations' time is that of the clock at hand here. */
  static readonly make = Effect.fnUntraced(function* (limits: Limits, publish: (event: Event) => Effect.Effect<void>) {
    const { limiter, stats, waiting } = yield* makeLimiter(limits, publish)
    return TokenRateLimiter.of({
      reserve: limiter.reserve,
      settle: (reservation, usage) => Effect.sync(() => limiter.settle(reservation, usage)),
      observe: (model, status, headers, kind, account) =>
        Effect.sync(() => limiter.observe(model, { status, headers, kind, account })),
      stats,
      waiting
    })
  })

  /** From Settings; with RATE_LIMIT_ENABLED=false it admits everything and only counts. */
  static readonly layerNoDeps = Layer.effect(
    this,
    Effect.gen(function* () {
      const settings = yield* Settings
      const { publish } = yield* Events
      const { share } = yield* Tenants
      return yield* TokenRateLimiter.make({ ...fromSettings(settings), weight: share }, publish)
    })
  )

  /** `layerNoDeps` with the request rate kept in this process. Needs Settings and Events. */
  static readonly layer = this.layerNoDeps.pipe(Layer.provide(layerRequestRateMemory))

  /** Admits everything at once and counts it, whatever RATE_LIMIT_ENABLED says. */
  static readonly layerUnlimited = Layer.effect(
    this,
    Effect.gen(function* () {
      const settings = yield* Settings
      const { publish } = yield* Events
      return yield* TokenRateLimiter.make({ ...fromSettings(settings), enforced: false }, publish)
    })
  ).pipe(Layer.provide(layerRequestRateMemory))

  /** A limiter of its own, for an embedder or a spec that has neither Settings nor Events. */
  static readonly layerOf = (limits: Partial<Limits>): Layer.Layer<TokenRateLimiter> =>
    Layer.effect(
      this,
      TokenRateLimiter.make({ ...defaultLimits, ...limits }, () => Effect.void)
    ).pipe(Layer.provide(layerRequestRateMemory))

  /** Admits everything at once, counts, needs nothing. */
  static readonly layerTest: Layer.Layer<TokenRateLimiter> = this.layerOf({ enforced: false })
}
