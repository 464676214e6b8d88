import { Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import type { Alert, Event } from "../domain/Event.ts"
import { layerBoundedStore } from "./BoundedStore.ts"
import { minute } from "./TokenWindow.ts"

/** Requests per minute, of everybody together or of each client, on Effect's token bucket. */
export interface RequestRate {
  /** Takes one request of `key`: 0 when it may go, otherwise the milliseconds to wait before asking again. */
  readonly take: (key: string) => Effect.Effect<number>
}

type Publish = (event: Event) => Effect.Effect<void>

/** This much of the limit may go at once (one request at least): upstream too enforces short bursts. */
const burst = 0.05

/**
 * A bucket of capacity `c` refilled `limit - c + 1` times a minute lets at most `limit` requests through in any 60
 * seconds; a bucket of the whole limit would let through nearly twice that.
 */
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

/** Tells the operator once when it begins to fail, and once when it works again. */
const makeReport = (publish: Publish): ((failing: boolean) => Effect.Effect<void>) => {
  let failing = false
  return (now) =>
    Effect.suspend(() => {
      if (failing === now) return Effect.void
      failing = now
      return publish({ _tag: now ? "AlertRaised" : "AlertCleared", alert })
    })
}

const millisToWait = (error: RateLimiter.RateLimiterError): Effect.Effect<number, RateLimiter.RateLimiterError> =>
  error.reason._tag === "RateLimitExceeded"
    ? Effect.succeed(Math.max(1, Math.ceil(Duration.toMillis(error.reason.retryAfter))))
    : Effect.fail(error)

const unlimited: RequestRate = { take: () => Effect.succeed(0) }

/** `null`: not limited. A store that is down stops nobody, since the other dimensions still hold. */
export const makeRequestRate = Effect.fnUntraced(function* (perMinute: number | null, publish: Publish) {
  if (perMinute === null) return unlimited
  const limiter = yield* RateLimiter.RateLimiter
  const report = makeReport(publish)
  const options = { algorithm: "token-bucket", onExceeded: "fail", ...bucketFor(perMinute) } as const
  const take = (key: string) =>
    Effect.as(limiter.consume({ ...options, key }), 0).pipe(
      Effect.catch(millisToWait),
      Effect.tap(() => report(false)),
      // Whatever breaks in it: a store that dies is down as well.
      Effect.catchCause(() => Effect.as(report(true), 0))
    )
  return { take } satisfies RequestRate
})

/** Effect's limiter in this process, with bounded memory. */
export const layerRequestRateMemory: Layer.Layer<RateLimiter.RateLimiter> = RateLimiter.layer.pipe(
  Layer.provide(layerBoundedStore)
)
