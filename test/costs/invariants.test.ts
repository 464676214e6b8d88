import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Deferred, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import type { LedgerStore } from "../../src/costs/LedgerStore.ts"
import { type NanoUsd, nanoUsd } from "../../src/domain/Money.ts"
import { zero as noUsage } from "../../src/domain/Usage.ts"
import { breakable, caller, inProcess, model, options } from "./tracking.ts"

const tokenPrice = 10_000
const settle = (requestId: string, tokens: number) => ({
  requestId,
  caller: caller(),
  model,
  usage: { ...noUsage, output: tokens },
  rawTokens: 0
})
const reserve = (requestId: string, tokens: number) => ({
  requestId,
  caller: caller(),
  model,
  estimate: nanoUsd(tokens * tokenPrice)
})
const tokens = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
const id = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8 }))

describe("invariant 6: the ledger is what upstream billed", () => {
  const Act = Schema.Struct({ do: Schema.Literals(["reserve", "settle", "release"]), id, tokens })
  const Fate = Schema.Struct({ do: Schema.Literals(["kill", "cut", "mend", "wait"]) })
  const Step = Schema.Union([Act, Fate])
  const isAct = Schema.is(Act)

  /** What upstream did: a request is billed once, when it answers; one that nobody heard of again is billed as reserved. */
  class Upstream {
    readonly billed = new Map<number, number>()
    readonly open = new Map<number, number>()
    get total(): number {
      return [...this.billed.values()].reduce((a, b) => a + b, 0) * tokenPrice
    }
    kill(): void {
      for (const [request, reserved] of this.open) this.billed.set(request, reserved)
      this.open.clear()
    }
  }

  it.effect.prop(
    "whatever is settled, released, repeated, killed or cut off, in whichever order",
    [Arbitrary.schema(Schema.Array(Step).check(Schema.isMaxLength(40)))],
    ([steps]) =>
      Effect.gen(function* () {
        const upstream = new Upstream()
        const { state, store } = breakable(makeMemory())
        const perform = (costs: CostTracker["Service"], step: typeof Act.Type) => {
          const name = `request ${step.id}`
          if (upstream.billed.has(step.id)) return Effect.asVoid(costs.settle(settle(name, step.tokens)))
          switch (step.do) {
            case "reserve":
              if (!upstream.open.has(step.id)) upstream.open.set(step.id, step.tokens)
              return costs.reserve(reserve(name, step.tokens))
            case "settle":
              upstream.open.delete(step.id)
              upstream.billed.set(step.id, step.tokens)
              return Effect.asVoid(costs.settle(settle(name, step.tokens)))
            case "release":
              upstream.open.delete(step.id)
              return costs.release(name)
          }
        }
        /** One life of the process, up to the next kill. The ledger is well when it starts, and when it is killed. */
        const life = (mine: ReadonlyArray<typeof Step.Type>) =>
          inProcess(
            store,
            {},
            Effect.gen(function* () {
              const costs = yield* CostTracker
              for (const step of mine) {
                if (step.do === "cut") state.broken = true
                else if (step.do === "mend") state.broken = false
                else if (step.do === "wait") yield* TestClock.adjust("1 minute")
                else if (isAct(step)) yield* perform(costs, step)
              }
              state.broken = false
              yield* TestClock.adjust("1 minute")
              const now = yield* costs.state
              assert.strictEqual(now.total.costNanoUsd, upstream.total)
              assert.deepStrictEqual(yield* costs.report({}), yield* store.report("1970-01-01", "1970-01-01", 10))
              assert.strictEqual(
                (yield* store.report("1970-01-01", "9999-01-01", 10)).total.costNanoUsd,
                upstream.total
              )
              assert.strictEqual(
                now.reservedNanoUsd,
                [...upstream.open.values()].reduce((a, b) => a + b, 0) * tokenPrice
              )
            })
          )
        let start = 0
        for (const [index, step] of [...steps, { do: "kill" as const }].entries()) {
          if (step.do !== "kill") continue
          yield* life(steps.slice(start, index))
          upstream.kill()
          start = index + 1
        }
        yield* life([])
        const { intents } = yield* store.opening("1970-01-01")
        assert.deepStrictEqual(intents, [])
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect.prop(
    "killed at any moment between two writes, the ledger with the open intents is never less than what was billed",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
      Arbitrary.schema(Schema.Array(tokens).check(Schema.isMaxLength(10)))
    ],
    ([writes, requests]) =>
      Effect.gen(function* () {
        const inner = makeMemory()
        const dead = yield* Deferred.make<never>()
        let left = writes
        /** After so many writes the process is dead: nothing it does reaches the disk any more. */
        const mortal = <A, E>(write: Effect.Effect<A, E>) =>
          Effect.suspend((): Effect.Effect<A, E> => (left-- > 0 ? write : Deferred.await(dead)))
        const store: LedgerStore = {
          ...inner,
          open: (intent) => mortal(inner.open(intent)),
          book: (rows) => mortal(inner.book(rows)),
          cancel: (name) => mortal(inner.cancel(name))
        }
        let billed = 0
        const work = Effect.gen(function* () {
          const costs = yield* CostTracker
          for (const [index, amount] of requests.entries()) {
            yield* costs.reserve(reserve(`request ${index}`, 1000))
            if (left < 0) return yield* Effect.never
            billed += amount * tokenPrice
            yield* costs.settle(settle(`request ${index}`, amount))
            if (left < 0) return yield* Effect.never
          }
        })
        const scope = yield* Scope.make()
        const process = yield* Effect.forkIn(inProcess(store, {}, work), scope)
        yield* TestClock.adjust("10 seconds")
        yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.await(process)
        const after = yield* inProcess(
          inner,
          {},
          Effect.flatMap(CostTracker, (costs) => costs.state)
        )
        assert.isAtLeast(after.total.costNanoUsd, billed)
        assert.isAtMost(after.total.costNanoUsd, billed + 1000 * tokenPrice)
      }),
    { arbitrary: { runs: 60 } }
  )
})

describe("invariant 7: a budget is never overshot by more than the reservation error in flight", () => {
  const Request = Schema.Struct({
    estimate: tokens,
    actual: tokens,
    takes: id,
    ends: Schema.Literals(["settle", "release", "interrupt"])
  })

  it.effect.prop(
    "however many requests run at once",
    [Arbitrary.schema(Schema.Array(Request).check(Schema.isMinLength(1), Schema.isMaxLength(60))), tokens],
    ([requests, budgetTokens]) =>
      Effect.gen(function* () {
        const limit: NanoUsd = nanoUsd(budgetTokens * 3 * tokenPrice)
        let error = 0
        const run = (costs: CostTracker["Service"], request: typeof Request.Type, index: number) =>
          Effect.gen(function* () {
            const name = `request ${index}`
            yield* Effect.sleep(`${index % 5} seconds`)
            yield* costs.reserve(reserve(name, request.estimate))
            error += Math.max(0, request.actual - request.estimate) * tokenPrice
            const before = yield* costs.state
            assert.isAtMost(before.today.costNanoUsd + before.reservedNanoUsd, limit + error)
            yield* Effect.sleep(`${request.takes} seconds`)
            if (request.ends === "settle") yield* costs.settle(settle(name, request.actual))
            else yield* costs.release(name)
            assert.isAtMost((yield* costs.state).today.costNanoUsd, limit + error)
          }).pipe(Effect.catchTag("BudgetExceeded", () => Effect.void))

        const work = Effect.gen(function* () {
          const costs = yield* CostTracker
          const fibers = yield* Effect.forEach(requests, (request, index) =>
            Effect.forkChild(run(costs, request, index))
          )
          yield* TestClock.adjust("20 seconds")
          yield* Fiber.joinAll(fibers)
          assert.strictEqual((yield* costs.state).reservedNanoUsd, 0)
        })
        yield* inProcess(makeMemory(), { ...options, dailyBudget: limit }, work)
      }),
    { arbitrary: { runs: 100 } }
  )
})
