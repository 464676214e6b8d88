import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Tenants } from "../../src/access/Tenants.ts"
import { Budgets } from "../../src/costs/Budgets.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { type NanoUsd, nanoUsd, zero } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { Settings } from "../../src/Settings.ts"

const tenants = Layer.succeed(Tenants, { share: (tenant) => (tenant === "big" ? 3 : 1), dailyBudget: () => null })
const limiter = TokenRateLimiter.layer.pipe(
  Layer.provide([tenants, Events.layer, Settings.layerWith({ rateLimitTokensPerMinute: 10_000 })])
)

describe("a tenant's share", () => {
  it.effect("is what it gets of a full queue", () =>
    Effect.gen(function* () {
      const { reserve, settle } = yield* TokenRateLimiter
      const served: Array<string> = []
      const ask = (tenant: string) =>
        Effect.map(
          Effect.scoped(
            reserve({
              model: "claude-sonnet-5-5",
              caller: { ...defaultCaller, tenant },
              inputTokens: 500,
              outputTokens: 1
            }).pipe(
              Effect.tap((reservation) =>
                settle(reservation, { input: 500, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 1 })
              )
            )
          ),
          () => served.push(tenant)
        )
      const all = Array.from({ length: 120 }, (_, n) => ask(n % 2 === 0 ? "big" : "small"))
      const fiber = yield* Effect.forkChild(Effect.all(all, { concurrency: "unbounded" }))
      yield* TestClock.adjust("3 minutes")
      const inTurn = served.slice(0, 60)
      const big = inTurn.filter((tenant) => tenant === "big").length
      assert.isAtLeast(big, 42)
      assert.isAtMost(big, 48)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(limiter))
  )
})

describe("a tenant's budget", () => {
  const subject = { tenant: "acme", agent: "a", conversation: null, model: "m" }

  it("follows its token, also when that goes", () => {
    let limit: NanoUsd | null = null
    const budgets = new Budgets([{ scope: "tenant", limit: zero, limitFor: () => limit }])
    assert.isUndefined(budgets.reserve(subject, 100))
    budgets.release(subject, 100)
    budgets.charge(subject, 90)
    limit = nanoUsd(100)
    assert.deepStrictEqual(budgets.reserve(subject, 20), {
      budget: "tenant acme",
      limit,
      spent: nanoUsd(90),
      reserved: zero,
      first: true
    })
    assert.strictEqual(budgets.charge(subject, 5)[0]?.level, 90)
    limit = null
    assert.isUndefined(budgets.reserve(subject, 1_000))
    assert.lengthOf(budgets.reset(), 1)
  })
})
