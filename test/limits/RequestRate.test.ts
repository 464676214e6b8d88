import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import type { Event } from "../../src/domain/Event.ts"
import { layerRequestRateMemory, makeRequestRate } from "../../src/limits/RequestRate.ts"
import { between, minute, random } from "./support.ts"

const silent = () => Effect.void

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
          const wait = next() < 0.01 ? between(next, 1_000, 100_000) : yield* rate.take
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
        const wait = yield* rate.take
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
      for (let n = 0; n < 20; n++) assert.strictEqual(yield* rate.take, 0)
      broken = false
      yield* rate.take
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["AlertRaised", "AlertCleared"]
      )
    })
  )
})
