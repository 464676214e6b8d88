import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { between, jain, limit, minute, model, random, total, usageOf, worstWindow } from "./support.ts"

/** Upstream as it describes itself: a token bucket of the limit, refilled continuously. */
const makeUpstream = (perMinute: number) => {
  let level = perMinute
  let at = 0
  let refused = 0
  return {
    refused: () => refused,
    call: (now: number, tokens: number) => {
      level = Math.min(perMinute, level + ((now - at) * perMinute) / minute)
      at = now
      if (tokens > level) refused += 1
      else level -= tokens
      const remaining = Math.max(0, Math.round(level / 1_000) * 1_000)
      return {
        "anthropic-ratelimit-input-tokens-limit": String(perMinute),
        "anthropic-ratelimit-input-tokens-remaining": String(remaining)
      }
    }
  }
}

const minutes = 10

describe("ten minutes of 600 messages a minute, through the service", () => {
  const run = (perMinute: number, headers: boolean) =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const upstream = makeUpstream(perMinute)
      const next = random(42)
      const log: Array<{ readonly at: number; readonly tokens: number; readonly tenant: string }> = []
      const message = (tenant: string, tokens: number, millis: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const caller = { tenant, agent: "agent", priority: "normal" } as const
            const reservation = yield* limiter.reserve({ model, caller, inputTokens: tokens, outputTokens: 0 })
            const now = yield* Clock.currentTimeMillis
            log.push({ at: now, tokens, tenant })
            const told = upstream.call(now, tokens)
            yield* Effect.sleep(millis)
            if (headers) yield* limiter.observe(model, 200, told)
            yield* limiter.settle(reservation, usageOf(tokens))
          })
        )
      for (let now = 0; now < minutes * minute; now += 100) {
        const tenant = `t${between(next, 0, 3)}`
        yield* Effect.forkChild(message(tenant, between(next, 100, 1_500), between(next, 20, 200)))
        yield* TestClock.adjust(100)
      }
      return { limiter, log, refused: upstream.refused() }
    })

  it.effect("never lets upstream refuse anything, and uses 97 % of the limit", () =>
    Effect.gen(function* () {
      const { limiter, log, refused } = yield* run(limit, false)
      assert.strictEqual(refused, 0)
      assert.isAtMost(worstWindow(log), limit)
      assert.isAtLeast(total(log), 0.97 * limit * minutes)
      const shares = ["t0", "t1", "t2", "t3"].map((tenant) => total(log.filter((one) => one.tenant === tenant)))
      assert.isAtLeast(jain(shares), 0.95)
      yield* TestClock.adjust("10 minutes")
      const { inFlight, queue, used } = yield* limiter.stats
      assert.deepStrictEqual([inFlight, queue.length, used], [0, 0, 0])
    }).pipe(Effect.provide(TokenRateLimiter.layerOf({ maxInFlight: 1_000 })))
  )

  it.effect("follows an upstream whose limit is lower than the user's", () =>
    Effect.gen(function* () {
      const { log, refused } = yield* run(limit / 2, true)
      assert.isAtMost(refused, 0)
      assert.isAtLeast(total(log), 0.9 * (limit / 2) * minutes)
    }).pipe(Effect.provide(TokenRateLimiter.layerOf({ maxInFlight: 1_000 })))
  )
})
