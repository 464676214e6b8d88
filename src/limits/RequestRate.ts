import { Clock, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import type { Alert, Event } from "../domain/Event.ts"
import { minute } from "./TokenWindow.ts"

/**
 * The requests-per-minute dimension, on Effect's token bucket. A bucket of capacity `c` refilled `limit - c + 1` times a
 * minute lets at most `limit` requests through in any 60 seconds; a bucket of the whole limit would let through nearly twice that.
 */
export interface RequestRate {
  /** Takes one request: 0 when it may go, otherwise the milliseconds to wait before asking again. */
  readonly take: Effect.Effect<number>
}

type Publish = (event: Event) => Effect.Effect<void>

/** This much of the limit may go at once (one request at least): upstream too enforces short bursts. */
const burst = 0.05

export const bucketFor = (perMinute: number): { readonly limit: number; readonly window: Duration.Duration } => {
  const capacity = Math.max(1, Math.floor(perMinute * burst))
  return { limit: capacity, window: Duration.millis((capacity * minute) / (perMinute - capacity + 1)) }
}

const alert: Alert = {
  kind: "degraded",
  severity: "warning",
  message:
    "The store of the request rate fails: requests per minute are not limited. Check REDIS_URL and the server behind it.",
  subject: "request rate"
}

/** A store that is down stops nobody, since the other dimensions still hold; the operator hears of it once. */
const tolerant = (
  take: Effect.Effect<number, RateLimiter.RateLimiterError>,
  publish: Publish
): Effect.Effect<number> => {
  let failing = false
  const report = (now: boolean) =>
    Effect.suspend(() => {
      if (failing === now) return Effect.void
      failing = now
      return publish({ _tag: now ? "AlertRaised" : "AlertCleared", alert })
    })
  return take.pipe(
    Effect.tap(() => report(false)),
    Effect.catch(() => Effect.as(report(true), 0))
  )
}

export const makeRequestRate = Effect.fnUntraced(function* (perMinute: number | null, publish: Publish) {
  if (perMinute === null) return { take: Effect.succeed(0) } satisfies RequestRate
  const limiter = yield* RateLimiter.RateLimiter
  const options = { algorithm: "token-bucket", onExceeded: "fail", key: "requests", ...bucketFor(perMinute) } as const
  const consume = limiter.consume(options)
  const take = Effect.as(consume, 0).pipe(
    Effect.catch((error) =>
      error.reason._tag === "RateLimitExceeded"
        ? Effect.succeed(Math.max(1, Math.ceil(Duration.toMillis(error.reason.retryAfter))))
        : Effect.fail(error)
    )
  )
  return { take: tolerant(take, publish) } satisfies RequestRate
})

/** A clock that never goes back, for a store that would otherwise refill nothing until the wall clock has caught up. */
const steady = (clock: Clock.Clock): Clock.Clock => {
  const millis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  return {
    ...clock,
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    currentTimeNanos: clock.monotonicTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

/** Effect's limiter in this process: one key, so its store, which never forgets a key, stays small. */
export const layerRequestRateMemory: Layer.Layer<RateLimiter.RateLimiter> = Layer.effect(
  RateLimiter.RateLimiter,
  Effect.map(Effect.all([RateLimiter.make, Clock.clockWith(Effect.succeed)]), ([limiter, clock]) =>
    RateLimiter.RateLimiter.of({
      ...limiter,
      consume: (options) => Effect.provideService(limiter.consume(options), Clock.Clock, steady(clock))
    })
  )
).pipe(Layer.provide(RateLimiter.layerStoreMemory))
