import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import type { Event } from "../../src/domain/Event.ts"
import { Buckets } from "../../src/limits/BoundedStore.ts"
import { layerRequestRateMemory, makeRequestRate } from "../../src/limits/RequestRate.ts"
import { between, minute, random } from "./support.ts"

const silent = () => Effect.void

describe("the store in this process", () => {
  it("forgets keys whose bucket is full again, and only those", () => {
    const buckets = new Buckets()
    const options = { tokens: 1, limit: 2, refillRate: Duration.seconds(1), allowOverflow: false }
    buckets.take(0, { ...options, key: "busy" })
    for (let n = 0; n < 300_000; n++) {
      buckets.take(n, { ...options, key: `client ${n}` })
      if (n % 900 === 0) buckets.take(n, { ...options, key: "busy" })
    }
    assert.isAtMost(buckets.size, 5_000)
    assert.isBelow(buckets.take(300_000, { ...options, key: "busy", tokens: 2 })[0], 0)
  })

  it("agrees with Effect's own, fractions and overflow included", () => {
    const next = random(4)
    return Effect.gen(function* () {
      const theirs = yield* RateLimiter.RateLimiterStore
      const ours = new Buckets()
      let now = 0
      for (let n = 0; n < 5_000; n++) {
        const options = {
          key: String(between(next, 0, 3)),
          tokens: between(next, 0, 4),
          limit: 5,
          refillRate: Duration.millis(700),
          allowOverflow: next() < 0.3
        }
        assert.deepStrictEqual(ours.take(now, options), yield* theirs.tokenBucket(options))
        const step = between(next, 0, 900)
        yield* TestClock.adjust(step)
        now += step
      }
    }).pipe(Effect.provide([RateLimiter.layerStoreMemory, TestClock.layer()]), Effect.runPromise)
  })
})

describe("requests per minute", () => {
  for (const perMinute of [1, 3, 10, 60, 1_000]) {
    it.effect(`never exceed ${perMinute} in any 60 seconds, idle spells or not`, () =>
      Effect.gen(function* () {
        const rate = yield* makeRequestRate(perMinute, silent)
        const next = random(perMinute)
        const times: Array<number> = []
        let now = 0
        while (now < 10 * minute) {
          // Idle spells fill the bucket; what follows must still hold.
          const wait = next() < 0.01 ? between(next, 1_000, 100_000) : yield* rate.take("k")
          if (wait === 0) times.push(now)
          now += wait
          yield* TestClock.adjust(wait)
        }
        times.forEach((from, n) => {
          assert.isAtLeast((times[n + perMinute] ?? Number.POSITIVE_INFINITY) - from, minute)
        })
      }).pipe(Effect.provide(layerRequestRateMemory))
    )
  }

  it.effect("are used to 95 % while requests wait", () =>
    Effect.gen(function* () {
      const rate = yield* makeRequestRate(1_000, silent)
      let count = 0
      for (let now = 0; now < 10 * minute; ) {
        const wait = yield* rate.take("k")
        if (wait === 0) count += 1
        now += wait
        yield* TestClock.adjust(wait)
      }
      assert.isAtLeast(count, 9_500)
    }).pipe(Effect.provide(layerRequestRateMemory))
  )

  it.effect("go on being admitted when the store fails, which is told once", () =>
    Effect.gen(function* () {
      const events: Array<Event> = []
      let broken = true
      const reason = new RateLimiter.RateLimitStoreError({ message: "down" })
      const store = Layer.effect(
        RateLimiter.RateLimiter,
        Effect.map(RateLimiter.make, (limiter) => ({
          ...limiter,
          consume: (options) =>
            Effect.suspend(() =>
              broken ? Effect.fail(new RateLimiter.RateLimiterError({ reason })) : limiter.consume(options)
            )
        }))
      ).pipe(Layer.provide(RateLimiter.layerStoreMemory))
      const rate = yield* makeRequestRate(5, (event) => Effect.sync(() => events.push(event))).pipe(
        Effect.provide(store)
      )
      for (let n = 0; n < 20; n++) assert.strictEqual(yield* rate.take("k"), 0)
      broken = false
      yield* rate.take("k")
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["AlertRaised", "AlertCleared"]
      )
    })
  )
})
