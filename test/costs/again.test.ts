import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import { fromUsd } from "../../src/domain/Money.ts"
import { inProcess, news, reserving, settling, spentToday, tracker } from "./tracking.ts"

const day = 86_400_000

describe("a clock that is put back over midnight", () => {
  it.effect("begins neither day again", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(day - 1_000)
      const costs = yield* CostTracker
      yield* costs.settle(settling("yesterday", 9))
      yield* TestClock.setTime(day + 10)
      yield* costs.settle(settling("today", 3))
      yield* TestClock.setTime(day - 500)
      assert.deepInclude(yield* costs.state, { day: "1970-01-02", resetsAt: 2 * day })
      assert.strictEqual((yield* Effect.flip(costs.reserve(reserving("more", 8)))).spent, fromUsd(3))
      yield* costs.settle(settling("meanwhile", 1))
      yield* TestClock.setTime(day + 20)
      assert.strictEqual(yield* spentToday, fromUsd(4))
    }).pipe(tracker({ dailyBudget: fromUsd(10) }))
  )

  it.effect("by days was wrong, and the day is the one it says now", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(10 * day)
      const costs = yield* CostTracker
      yield* costs.settle(settling("wrong", 9))
      yield* TestClock.setTime(3 * day)
      assert.strictEqual((yield* costs.state).day, "1970-01-04")
      yield* costs.reserve(reserving("right", 8))
    }).pipe(tracker({ dailyBudget: fromUsd(10) }))
  )
})

describe("a budget that was granted its limit again", () => {
  const over = ["AlertCleared cost_threshold daily budget", "AlertCleared budget_paused daily budget"]
  const usedUp = ["AlertRaised cost_threshold daily budget", "BudgetPaused", "AlertRaised budget_paused daily budget"]

  it.effect("tells of its levels and of its end again", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 10))
      yield* costs.resume("me")
      assert.deepStrictEqual(yield* news, [...usedUp, "BudgetResumed me", ...over])
      yield* costs.settle(settling("b", 5))
      assert.deepStrictEqual((yield* news).slice(6), [])
      yield* costs.settle(settling("c", 1))
      assert.deepStrictEqual((yield* news).slice(6), ["AlertRaised cost_threshold daily budget"])
      yield* costs.settle(settling("d", 4))
      assert.deepStrictEqual((yield* news).slice(7), usedUp)
    }).pipe(tracker({ dailyBudget: fromUsd(10), threshold: fromUsd(1_000) }))
  )

  it.effect("also after a restart", () =>
    Effect.gen(function* () {
      const ledger = makeMemory()
      const given = { dailyBudget: fromUsd(10), threshold: fromUsd(1_000) }
      const first = Effect.flatMap(CostTracker, (costs) =>
        Effect.andThen(costs.settle(settling("a", 10)), costs.resume("me"))
      )
      yield* inProcess(ledger, given, first)
      const second = Effect.gen(function* () {
        const costs = yield* CostTracker
        yield* Effect.flip(costs.reserve(reserving("b", 11)))
        const refused = ["AlertRaised budget_paused daily budget"]
        assert.deepStrictEqual(yield* news, refused)
        yield* costs.settle(settling("c", 6))
        assert.deepStrictEqual((yield* news).slice(1), ["AlertRaised cost_threshold daily budget"])
      })
      yield* inProcess(ledger, given, second)
    })
  )
})
