import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Events } from "../../src/events/Events.ts"
import { defaultLimits } from "../../src/limits/Limits.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { model } from "./support.ts"

const wanted = {
  model,
  caller: { tenant: "t", agent: "a", priority: "normal" },
  inputTokens: 1,
  outputTokens: 0
} as const

describe("a store of the request rate that dies", () => {
  it.effect("holds up nobody and keeps no slot, which is told once", () => {
    const dying = Layer.mock(RateLimiter.RateLimiter, {
      [RateLimiter.TypeId]: RateLimiter.TypeId,
      consume: () => Effect.die("the store is broken")
    })
    const limiter = Layer.effect(
      TokenRateLimiter,
      Effect.flatMap(Events, ({ publish }) =>
        TokenRateLimiter.make({ ...defaultLimits, requestsPerMinute: 60, maxInFlight: 2 }, publish)
      )
    ).pipe(Layer.provide(dying), Layer.provideMerge(Events.layerTest))
    return Effect.gen(function* () {
      const { reserve, stats } = yield* TokenRateLimiter
      for (let i = 0; i < 5; i++) yield* Effect.scoped(Effect.timeout(reserve(wanted), "10 seconds"))
      assert.deepInclude(yield* stats, { inFlight: 0 })
      const alerts = (yield* (yield* Events).recent).filter(({ event }) => event._tag === "AlertRaised")
      assert.strictEqual(alerts.length, 1)
    }).pipe(
      Effect.raceFirst(Effect.forever(Effect.andThen(Effect.yieldNow, TestClock.adjust("1 second")))),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.provide(limiter)
    )
  })
})
