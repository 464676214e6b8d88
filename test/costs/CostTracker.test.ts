import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import { fromUsd, zero } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { breakable, caller, inProcess, model, news, reserving, settling, spentToday, tracker } from "./tracking.ts"

describe("reserve, settle, release", () => {
  it.effect("settle answers the exact cost and books it once", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.reserve(reserving("a", 1))
      assert.strictEqual((yield* costs.state).reservedNanoUsd, fromUsd(1))
      assert.strictEqual(yield* costs.settle(settling("a", 0.25)), fromUsd(0.25))
      assert.strictEqual(yield* costs.settle(settling("a", 99)), fromUsd(0.25))
      const state = yield* costs.state
      assert.strictEqual(state.reservedNanoUsd, 0)
      assert.strictEqual(state.today.costNanoUsd, fromUsd(0.25))
      assert.strictEqual(state.today.requests, 1)
      assert.strictEqual((yield* costs.report({})).total.costNanoUsd, fromUsd(0.25))
    }).pipe(tracker())
  )

  it.effect("what was never reserved is booked too", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      assert.strictEqual(yield* costs.settle(settling("a", 1)), fromUsd(1))
      assert.strictEqual(yield* spentToday, fromUsd(1))
    }).pipe(tracker())
  )

  it.effect("release gives the reservation back, once, and books nothing", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const ledger = yield* Ledger
      yield* costs.reserve(reserving("a", 1))
      yield* costs.reserve(reserving("b", 2))
      yield* costs.release("a")
      yield* costs.release("a")
      yield* costs.release("unknown")
      assert.strictEqual((yield* costs.state).reservedNanoUsd, fromUsd(2))
      assert.deepStrictEqual(
        (yield* ledger.opening("1970-01-01")).intents.map(({ requestId }) => requestId),
        ["b"]
      )
    }).pipe(tracker())
  )

  it.effect("a hit costs nothing, counts as saved, and uses no tokens", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      assert.strictEqual(yield* costs.saved({ ...settling("hit", 0.5), rawTokens: 70 }), fromUsd(0.5))
      const { today } = yield* costs.state
      assert.deepStrictEqual(
        [
          today.requests,
          today.costNanoUsd,
          today.savedNanoUsd,
          today.saved?.cache,
          today.usage.output,
          today.rawTokens
        ],
        [1, 0, fromUsd(0.5), fromUsd(0.5), 0, 70]
      )
      const { byModel } = yield* costs.report({})
      assert.strictEqual(byModel[0]?.savedNanoUsd, fromUsd(0.5))
    }).pipe(tracker())
  )

  it.effect("savings by compaction and by routing are told apart, and may be negative", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const usage = { input: 1000, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 9000, output: 100 }
      yield* costs.settle({ requestId: "a", caller: caller(), model, usage, rawTokens: 110_000 })
      assert.strictEqual((yield* costs.state).today.saved?.context, 100_000 * 100)
      const routed = {
        requestId: "b",
        caller: caller(),
        model,
        usage,
        rawTokens: 10_000,
        requestedModel: "claude-opus-5-5"
      }
      yield* costs.settle(routed)
      assert.strictEqual((yield* costs.state).today.saved?.routing, 1000 * 2000 + 9000 * 100 + 100 * 10_000)
      yield* costs.settle({ ...routed, requestId: "c", rawTokens: 9000, requestedModel: "claude-haiku-5-5" })
      const { saved, savedNanoUsd } = (yield* costs.state).today
      assert.strictEqual(saved?.context, 99_000 * 100)
      assert.strictEqual(savedNanoUsd, (saved?.context ?? 0) + (saved?.routing ?? 0))
    }).pipe(tracker())
  )

  it.effect("strange names and amounts do no harm", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const who = caller({ tenant: `a\u0000${"x".repeat(1000)}`, agent: "\ud800" })
      yield* costs.settle({
        ...settling("\u0000", 0, who),
        usage: { input: 1.4, cacheWrite5m: -1, cacheWrite1h: Number.NaN, cacheRead: 0, output: 0 },
        rawTokens: Number.NaN
      })
      const { byAgent, byTenant, total } = yield* costs.report({})
      assert.strictEqual(total.usage.input, 1)
      assert.lengthOf(byTenant[0]?.key ?? "", 200)
      assert.strictEqual(byAgent[0]?.key, "\ufffd")
    }).pipe(tracker())
  )

  it.effect("amounts beyond all measure are booked, and leave nothing held", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      for (const [id, input, searches] of [
        ["tokens", 1e18, 0],
        ["searches", 5, 1e15]
      ] as const) {
        yield* costs.reserve(reserving(id, 1))
        const apiUsage = { input_tokens: input, server_tool_use: { web_search_requests: searches } }
        const usage = { input, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 0 }
        const cost = yield* costs.settle({ ...settling(id, 0), usage, apiUsage, rawTokens: input })
        assert.isAbove(cost, fromUsd(1_000))
      }
      assert.strictEqual((yield* costs.state).reservedNanoUsd, 0)
    }).pipe(tracker())
  )
})

describe("the daily budget", () => {
  it.effect("refuses before anything is sent, and says which budget, what is left and when it begins anew", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 7))
      yield* costs.reserve(reserving("b", 2))
      const refused = yield* Effect.flip(costs.reserve(reserving("c", 1.5)))
      assert.deepInclude(
        { ...refused },
        { budget: "daily budget", limit: fromUsd(10), spent: fromUsd(7), resetsAt: 86_400_000 }
      )
      assert.include(refused.message, "The daily budget, $10.00, has $1.00 left ($7.00 spent")
      assert.include(refused.message, "1970-01-02T00:00:00.000Z")
      yield* costs.reserve(reserving("d", 1))
      yield* costs.release("b")
      yield* costs.reserve(reserving("e", 2))
    }).pipe(tracker({ dailyBudget: fromUsd(10) }))
  )

  it.effect("used up, it pauses, tells so once, and begins anew at midnight", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 1))
      for (const id of ["b", "c", "d"]) yield* Effect.flip(costs.reserve(reserving(id, 0.01)))
      assert.isTrue((yield* costs.state).paused)
      const raised = [
        "AlertRaised cost_threshold daily budget",
        "BudgetPaused",
        "AlertRaised budget_paused daily budget"
      ]
      assert.deepStrictEqual(yield* news, raised)
      yield* TestClock.adjust("24 hours")
      const cleared = ["AlertCleared cost_threshold daily budget", "AlertCleared budget_paused daily budget"]
      assert.deepStrictEqual((yield* news).slice(3), cleared)
      assert.deepInclude(yield* costs.state, { paused: false, day: "1970-01-02", resetsAt: 2 * 86_400_000 })
      yield* costs.reserve(reserving("e", 0.01))
    }).pipe(tracker({ dailyBudget: fromUsd(1), threshold: fromUsd(100) }))
  )

  it.effect("refusing only for what is in flight, it tells when there is room again", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      for (const id of ["a", "b"]) yield* costs.reserve(reserving(id, 0.5))
      yield* Effect.flip(costs.reserve(reserving("c", 0.6)))
      yield* costs.settle(settling("a", 0.1))
      assert.deepStrictEqual(yield* news, ["AlertRaised budget_paused daily budget"], "b may yet cost what it holds")
      yield* costs.settle(settling("b", 0.1))
      const told = ["AlertRaised budget_paused daily budget", "AlertCleared budget_paused daily budget"]
      assert.deepStrictEqual(yield* news, told)
      yield* costs.reserve(reserving("d", 0.6))
      yield* Effect.flip(costs.reserve(reserving("e", 0.3)))
      yield* costs.release("d")
      assert.deepStrictEqual(yield* news, [...told, ...told])
    }).pipe(tracker({ dailyBudget: fromUsd(1), threshold: fromUsd(100) }))
  )

  it.effect("spent too far for a request, it stays refusing", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.reserve(reserving("a", 0.8))
      yield* Effect.flip(costs.reserve(reserving("b", 0.5)))
      yield* costs.settle(settling("a", 0.6))
      assert.deepStrictEqual(
        (yield* news).filter((one) => one.includes("budget_paused")),
        ["AlertRaised budget_paused daily budget"]
      )
    }).pipe(tracker({ dailyBudget: fromUsd(1), threshold: fromUsd(100) }))
  )

  it.effect("resuming grants it once more, not for ever", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 1))
      yield* Effect.flip(costs.reserve(reserving("b", 0.01)))
      yield* costs.resume("an operator")
      assert.isFalse((yield* costs.state).paused)
      assert.include(yield* news, "BudgetResumed an operator")
      assert.include(yield* news, "AlertCleared budget_paused daily budget")
      yield* costs.reserve(reserving("c", 0.9))
      yield* Effect.flip(costs.reserve(reserving("d", 0.2)))
    }).pipe(tracker({ dailyBudget: fromUsd(1) }))
  )

  it.effect("a day has its own length where the clocks change", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-10-25T10:00:00Z"))
      yield* Effect.gen(function* () {
        const costs = yield* CostTracker
        yield* costs.settle(settling("a", 1))
        assert.deepInclude(yield* costs.state, { day: "2026-10-25", resetsAt: Date.parse("2026-10-25T23:00:00Z") })
        yield* TestClock.setTime(Date.parse("2026-10-25T22:59:59.999Z"))
        yield* Effect.flip(costs.reserve(reserving("b", 0.5)))
        yield* TestClock.adjust("1 millis")
        yield* costs.reserve(reserving("c", 0.5))
        assert.strictEqual((yield* costs.state).day, "2026-10-26")
      }).pipe(tracker({ dailyBudget: fromUsd(1), timeZone: "Europe/Berlin" }))
    })
  )

  it.effect("what is in flight over midnight stays reserved, and is spent on the day it is settled", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.reserve(reserving("a", 0.8))
      yield* TestClock.adjust("24 hours")
      yield* Effect.flip(costs.reserve(reserving("b", 0.5)))
      yield* costs.settle(settling("a", 0.3))
      yield* costs.reserve(reserving("c", 0.7))
      assert.strictEqual((yield* costs.report({})).total.costNanoUsd, fromUsd(0.3))
    }).pipe(tracker({ dailyBudget: fromUsd(1) }))
  )

  it.effect("switched off, nothing is refused, everything is counted", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.pause("testing")
      yield* costs.settle(settling("a", 5))
      yield* costs.reserve(reserving("b", 5))
      assert.isFalse((yield* costs.state).paused)
      assert.strictEqual(yield* spentToday, fromUsd(5))
    }).pipe(tracker({ dailyBudget: fromUsd(1), enforced: false }))
  )
})

describe("other budgets", () => {
  const budgets = [
    { scope: "tenant", limit: fromUsd(5) },
    { scope: "agent", key: "researcher", limit: fromUsd(2) },
    { scope: "conversation", limit: fromUsd(1) },
    { scope: "model", key: "claude-opus-5-5", limit: fromUsd(0.5) }
  ] as const

  it.effect("hold for whom they are about, and nobody else", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      let n = 0
      const attempt = (usd: number, who = caller(), model?: string) =>
        costs.reserve({ ...reserving(`r${n++}`, usd, who), ...(model === undefined ? {} : { model }) }).pipe(
          Effect.as("taken"),
          Effect.catch((error) => Effect.succeed(error.budget))
        )
      assert.strictEqual(yield* attempt(4.5), "taken")
      assert.strictEqual(yield* attempt(0.6), "tenant default")
      assert.strictEqual(yield* attempt(5, caller({ tenant: "acme" })), "taken")
      const researcher = (tenant: string) => caller({ tenant, agent: "researcher" })
      assert.strictEqual(yield* attempt(2.1, researcher("x")), "agent x/researcher")
      assert.strictEqual(yield* attempt(2, researcher("x")), "taken")
      assert.strictEqual(yield* attempt(2, researcher("y")), "taken")
      assert.strictEqual(yield* attempt(1.1, caller({ tenant: "z", conversation: "c1" })), "conversation c1")
      assert.strictEqual(yield* attempt(0.6, caller({ tenant: "w" }), "claude-opus-5-5"), "model claude-opus-5-5")
      assert.strictEqual(yield* attempt(0.5, caller({ tenant: "w" }), "claude-opus-5-5"), "taken")
    }).pipe(tracker({ budgets }))
  )

  it.effect("a request that one budget refuses takes nothing from the others", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const who = caller({ conversation: "c" })
      for (let i = 0; i < 10; i++) yield* Effect.flip(costs.reserve(reserving(`no ${i}`, 2, who)))
      yield* costs.reserve(reserving("yes", 5))
    }).pipe(tracker({ budgets }))
  )

  it.effect("each tells of its own levels and of its first refusal only", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 2.5))
      yield* costs.settle(settling("b", 0.1))
      for (let i = 0; i < 4; i++) yield* Effect.flip(costs.reserve(reserving(`c${i}`, 4)))
      const { message } = yield* Effect.flip(costs.reserve(reserving("c4", 4)))
      assert.match(message, /^The budget of tenant default, \$5\.00, has \$2\.40 left/)
      assert.deepStrictEqual(yield* news, [
        "AlertRaised cost_threshold tenant default",
        "AlertRaised budget_paused tenant default"
      ])
    }).pipe(tracker({ budgets: [budgets[0]], threshold: fromUsd(100) }))
  )
})

describe("the alert threshold", () => {
  it.effect("tells of 50, 80, 90 and 100 percent, once each, and refuses nothing", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const events = yield* Events
      for (let i = 0; i < 150; i++) {
        yield* costs.reserve(reserving(`r${i}`, 0.1))
        yield* costs.settle(settling(`r${i}`, 0.1))
      }
      const alerts = (yield* events.recent).flatMap(({ event }) => (event._tag === "AlertRaised" ? [event.alert] : []))
      assert.deepStrictEqual(
        alerts.map(({ message, severity }) => [severity, message]),
        [
          ["info", "50 % of the alert threshold is spent: $5.00 of $10.00 today."],
          ["info", "80 % of the alert threshold is spent: $8.00 of $10.00 today."],
          ["warning", "90 % of the alert threshold is spent: $9.00 of $10.00 today."],
          ["critical", "100 % of the alert threshold is spent: $10.00 of $10.00 today."]
        ]
      )
      assert.strictEqual((yield* costs.state).thresholdPercent, 150)
      yield* TestClock.adjust("24 hours")
      assert.strictEqual((yield* news).at(-1), "AlertCleared cost_threshold alert threshold")
    }).pipe(tracker())
  )

  it.effect("a leap over several levels tells the highest", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 9.5))
      assert.lengthOf(yield* news, 1)
    }).pipe(tracker())
  )
})

describe("pause", () => {
  it.effect("refuses everything until it is resumed, and outlives the process", () =>
    Effect.gen(function* () {
      const ledger = makeMemory()
      yield* inProcess(
        ledger,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          yield* costs.pause("looks like a loop")
          yield* costs.pause("again")
          assert.deepStrictEqual(yield* news, ["BudgetPaused", "AlertRaised budget_paused pause"])
          const refused = yield* Effect.flip(costs.reserve(reserving("a", 0.01)))
          assert.strictEqual(refused.budget, "pause")
        })
      )
      yield* inProcess(
        ledger,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          assert.isTrue((yield* costs.state).paused)
          assert.include((yield* Effect.flip(costs.reserve(reserving("a", 0.01)))).message, "again")
          yield* costs.resume("me")
          yield* costs.reserve(reserving("a", 0.01))
          assert.deepStrictEqual(yield* news, ["BudgetResumed me", "AlertCleared budget_paused pause"])
          yield* costs.resume("me")
          assert.lengthOf(yield* news, 2)
        })
      )
    })
  )

  it.effect("a grant outlives the process, but not the day", () =>
    Effect.gen(function* () {
      const ledger = makeMemory()
      const given = { dailyBudget: fromUsd(1) }
      const using = <A, E, R>(use: (costs: CostTracker["Service"]) => Effect.Effect<A, E, R>) =>
        inProcess(ledger, given, Effect.flatMap(CostTracker, use))
      yield* using((costs) => Effect.andThen(costs.settle(settling("a", 1)), costs.resume("me")))
      yield* using((costs) => costs.reserve(reserving("b", 0.5)))
      yield* TestClock.adjust("24 hours")
      const refused = yield* using((costs) =>
        Effect.andThen(costs.settle(settling("c", 1)), Effect.flip(costs.reserve(reserving("d", 0.5))))
      )
      assert.strictEqual(refused.budget, "daily budget")
    })
  )
})

describe("a restart", () => {
  it.effect("goes on from what was spent, without announcing it again", () =>
    Effect.gen(function* () {
      const ledger = makeMemory()
      yield* inProcess(
        ledger,
        {},
        Effect.flatMap(CostTracker, (costs) => costs.settle(settling("a", 6)))
      )
      yield* inProcess(
        ledger,
        { dailyBudget: fromUsd(10) },
        Effect.gen(function* () {
          const costs = yield* CostTracker
          assert.strictEqual(yield* spentToday, fromUsd(6))
          assert.strictEqual(yield* costs.settle(settling("a", 3)), fromUsd(6))
          assert.strictEqual(yield* spentToday, fromUsd(6))
          yield* costs.settle(settling("b", 0.1))
          assert.deepStrictEqual(yield* news, [])
          assert.strictEqual((yield* Effect.flip(costs.reserve(reserving("c", 4)))).spent, fromUsd(6.1))
        })
      )
    })
  )

  it.effect("books what was in flight as unsettled, with its reservation, once", () =>
    Effect.gen(function* () {
      const ledger = makeMemory()
      const die = inProcess(
        ledger,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          yield* costs.reserve(reserving("a", 2, caller({ tenant: "acme", conversation: "c" })))
          yield* costs.reserve(reserving("b", 3))
          yield* costs.settle(settling("b", 1))
        })
      )
      yield* die
      const state = Effect.flatMap(CostTracker, (costs) => Effect.all([costs.state, costs.report({})]))
      for (let i = 0; i < 3; i++) {
        const [{ today }, report] = yield* inProcess(ledger, {}, state)
        assert.strictEqual(today.costNanoUsd, fromUsd(3))
        assert.deepStrictEqual(report.total, today)
        assert.strictEqual(report.byTenant.find(({ key }) => key === "acme")?.costNanoUsd, fromUsd(2))
      }
      const { intents } = yield* ledger.opening("1970-01-01")
      assert.deepStrictEqual(intents, [])
    })
  )
})

describe("a ledger in trouble", () => {
  const cutOff = Effect.sync(() => breakable(makeMemory()))

  it.effect("fails no request, is announced once, and has everything once it is back", () =>
    Effect.gen(function* () {
      const { state, store } = yield* cutOff
      yield* inProcess(
        store,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          state.broken = true
          const work = Effect.forEach(
            Array.from({ length: 20 }, (_, i) => `r${i}`),
            (id) => Effect.andThen(costs.reserve(reserving(id, 1)), costs.settle(settling(id, 0.1)))
          )
          const working = yield* Effect.forkChild(work)
          yield* TestClock.adjust("3 seconds")
          assert.isTrue((yield* Fiber.join(working)).every((cost) => cost === fromUsd(0.1)))
          assert.strictEqual(yield* spentToday, fromUsd(2))
          assert.isAbove((yield* costs.state).unwritten ?? 0, 0)
          yield* TestClock.adjust("10 minutes")
          assert.deepStrictEqual(
            (yield* news).filter((what) => what.includes("degraded")),
            ["AlertRaised degraded ledger"]
          )
          state.broken = false
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual((yield* costs.report({})).total.costNanoUsd, fromUsd(2))
          assert.strictEqual((yield* costs.state).unwritten, 0)
          assert.strictEqual((yield* news).at(-1), "AlertCleared degraded ledger")
        })
      )
      assert.deepStrictEqual((yield* store.opening("1970-01-01")).intents, [])
    })
  )

  it.effect("that answers nothing at all holds a request up for two seconds once, then nobody", () =>
    Effect.gen(function* () {
      const stuck = { ...makeMemory(), book: () => Effect.never }
      const seen = yield* Deferred.make<ReadonlyArray<unknown>>()
      const requests = Effect.gen(function* () {
        const costs = yield* CostTracker
        const first = yield* Effect.forkChild(costs.settle(settling("a", 1)))
        yield* TestClock.adjust("1999 millis")
        const early = first.pollUnsafe()
        yield* TestClock.adjust("1 millis")
        const answers = [yield* Fiber.join(first), yield* costs.settle(settling("b", 1))]
        return [early, ...answers, ...(yield* news)]
      })
      const process = yield* Effect.forkChild(inProcess(stuck, {}, Deferred.complete(seen, requests)))
      const expected = [undefined, fromUsd(1), fromUsd(1), "AlertRaised degraded ledger"]
      assert.deepStrictEqual(yield* Deferred.await(seen), expected)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(process)
    })
  )

  it.effect("a request that is given back before its intent was written leaves no intent", () =>
    Effect.gen(function* () {
      const { state, store } = yield* cutOff
      yield* inProcess(
        store,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          state.broken = true
          yield* Effect.andThen(costs.reserve(reserving("a", 1)), costs.release("a")).pipe(Effect.forkChild)
          yield* TestClock.adjust("5 seconds")
          state.broken = false
          yield* TestClock.adjust("20 seconds")
        })
      )
      assert.deepStrictEqual((yield* store.opening("1970-01-01")).intents, [])
    })
  )

  it.effect("an interrupted reserve holds nothing", () =>
    Effect.gen(function* () {
      const inner = makeMemory()
      const slow = {
        ...inner,
        open: (intent: Parameters<typeof inner.open>[0]) => Effect.delay(inner.open(intent), "1 second")
      }
      yield* inProcess(
        slow,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          const reserve = yield* Effect.forkChild(costs.reserve(reserving("a", 1)))
          yield* TestClock.adjust("500 millis")
          yield* Fiber.interrupt(reserve)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(reserve)))
          assert.strictEqual((yield* costs.state).reservedNanoUsd, zero)
          yield* TestClock.adjust("5 seconds")
        })
      )
      assert.deepStrictEqual((yield* inner.opening("1970-01-01")).intents, [])
    })
  )
})

describe("layers", () => {
  const provided = (settings: Parameters<typeof Settings.layerWith>[0]) =>
    Effect.provide(
      CostTracker.layerMemory.pipe(
        Layer.provide([Settings.layerWith(settings), Events.layerTest, ModelCatalog.layerDefault])
      )
    )

  it.effect("take threshold, budget and zone from Settings", () =>
    Effect.gen(function* () {
      const state = yield* (yield* CostTracker).state
      assert.deepInclude(state, {
        enabled: true,
        thresholdNanoUsd: fromUsd(3),
        dailyBudgetNanoUsd: fromUsd(4),
        resetsAt: 23 * 3_600_000
      })
    }).pipe(provided({ costAlertThresholdUsd: 3, costDailyBudgetUsd: Option.some(4), costTimeZone: "Europe/Berlin" }))
  )

  it.effect("take budgets by tenant, agent, conversation and model from Settings, models by any name", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const refusedBy = (id: string, usd: number, who = caller()) =>
        costs.reserve(reserving(id, usd, who)).pipe(
          Effect.as("nobody"),
          Effect.catch(({ budget }) => Effect.succeed(budget)),
          Effect.ensuring(costs.release(id))
        )
      const talk = (conversation: string) => caller({ tenant: "other", conversation })
      yield* costs.settle(settling("first", 0.4, talk("one")))
      assert.deepStrictEqual(
        [
          yield* refusedBy("a", 5, caller({ tenant: "acme" })),
          yield* refusedBy("b", 5.01, caller({ tenant: "acme" })),
          yield* refusedBy("c", 1.01, caller({ agent: "summarizer" })),
          yield* refusedBy("d", 0.2, talk("one")),
          yield* refusedBy("e", 0.5, talk("two")),
          yield* refusedBy("f", 19.61)
        ],
        ["nobody", "tenant acme", "agent default/summarizer", "conversation one", "nobody", `model ${model}`]
      )
    }).pipe(
      provided({
        costBudgets: [
          { scope: "tenant", name: "acme", usd: 5 },
          { scope: "agent", name: "summarizer", usd: 1 },
          { scope: "conversation", name: "*", usd: 0.5 },
          { scope: "model", name: "sonnet", usd: 20 }
        ]
      })
    )
  )

  it.effect("obey the master switch: metered, not limited", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      yield* costs.settle(settling("a", 9))
      yield* costs.reserve(reserving("b", 9))
      assert.strictEqual(yield* spentToday, fromUsd(9))
    }).pipe(provided({ tokenManagementEnabled: false, costDailyBudgetUsd: Option.some(1) }))
  )

  it.effect("switched off, count nothing", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      assert.strictEqual(yield* costs.settle(settling("a", 9)), 0)
      assert.deepInclude(yield* costs.state, { enabled: false, reservedNanoUsd: zero })
      assert.strictEqual((yield* costs.report({})).total.requests, 0)
    }).pipe(provided({ enabled: { costTracking: false } }))
  )
})
