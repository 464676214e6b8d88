import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { model } from "./support.ts"

const large = {
  model,
  caller: { tenant: "tenant", agent: "agent", priority: "normal" },
  inputTokens: 20_000,
  outputTokens: 0
} as const
const said = (limit: number) => ({
  "anthropic-ratelimit-input-tokens-limit": String(limit),
  "anthropic-ratelimit-input-tokens-remaining": String(limit)
})

describe("a request larger than upstream's limit", () => {
  it.effect("is refused while that is known, and finds out after ten minutes whether it still holds", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const reserve = Effect.scoped(limiter.reserve(large))
      yield* limiter.observe(model, 200, said(10_000))
      assert.strictEqual((yield* Effect.flip(reserve)).reason, "TooLarge")
      yield* TestClock.adjust("9 minutes")
      assert.strictEqual((yield* Effect.flip(reserve)).reason, "TooLarge")
      yield* TestClock.adjust("1 minute")
      const trial = yield* Effect.forkChild(reserve, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(trial)).waitedMillis, 0)
      yield* limiter.observe(model, 429, said(10_000))
      assert.strictEqual((yield* Effect.flip(reserve)).reason, "TooLarge")
    }).pipe(Effect.provide(TokenRateLimiter.layerOf({})))
  )
})
