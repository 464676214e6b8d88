import { Clock, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"

interface Bucket {
  tokens: number
  refilledAt: number
  /** A bucket nobody touches is full by then, and as good as forgotten. */
  fullAt: number
}

const sweepFrom = 1_024

/**
 * Effect's in-memory store with a token bucket that forgets: keys chosen by clients leave once their bucket is full
 * again, and the clock is one that never goes back. Everything else is Effect's own.
 */
export const layerBoundedStore: Layer.Layer<RateLimiter.RateLimiterStore> = Layer.effect(
  RateLimiter.RateLimiterStore,
  Effect.map(RateLimiter.RateLimiterStore, (store) => {
    const buckets = new Buckets()
    return RateLimiter.RateLimiterStore.of({
      ...store,
      tokenBucket: (options) =>
        Clock.clockWith((clock) =>
          Effect.sync(() => buckets.take(Number(clock.monotonicTimeNanosUnsafe()) / 1e6, options))
        )
    })
  })
).pipe(Layer.provide(RateLimiter.layerStoreMemory))

interface Take {
  readonly key: string
  readonly tokens: number
  readonly limit: number
  readonly refillRate: Duration.Duration
  readonly allowOverflow: boolean
}

/** Token buckets by key, as `RateLimiterStore.tokenBucket` describes them. Memory: the keys used within one refill. */
export class Buckets {
  private readonly byKey = new Map<string, Bucket>()
  private sweepAt = sweepFrom

  get size(): number {
    return this.byKey.size
  }

  take(now: number, { allowOverflow, key, limit, refillRate, tokens }: Take): readonly [number, number] {
    const refillMillis = Duration.toMillis(refillRate)
    const bucket = this.byKey.get(key) ?? this.open(key, limit, now)
    const refills = Math.floor((now - bucket.refilledAt) / refillMillis)
    bucket.tokens = Math.min(limit, bucket.tokens + refills)
    bucket.refilledAt = bucket.tokens >= limit ? now : bucket.refilledAt + refills * refillMillis
    const left = bucket.tokens - tokens
    if (left >= 0 || allowOverflow) bucket.tokens = left
    bucket.fullAt = bucket.refilledAt + Math.ceil(limit - bucket.tokens) * refillMillis
    return [left, now - bucket.refilledAt]
  }

  private open(key: string, limit: number, now: number): Bucket {
    if (this.byKey.size >= this.sweepAt) this.sweep(now)
    const bucket = { tokens: limit, refilledAt: now, fullAt: now }
    this.byKey.set(key, bucket)
    return bucket
  }

  private sweep(now: number): void {
    for (const [key, { fullAt }] of this.byKey) if (fullAt <= now) this.byKey.delete(key)
    this.sweepAt = Math.max(sweepFrom, 2 * this.byKey.size)
  }
}
