import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { promptTokens, type Usage } from "../../src/domain/Usage.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings } from "../../src/Settings.ts"
import { Fault, Simulator, type SimulatorOptions } from "../../src/testing/index.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { model, published } from "./world.ts"

const unhurried = { firstByte: "200 millis", perToken: "10 millis" } as const

/** Every room as it is shipped, with the simulator upstream. */
const rooms = (overrides: Parameters<typeof Settings.layerWith>[0] = {}, simulator: SimulatorOptions = unhurried) =>
  Governor.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Claude.layerRetrying.pipe(
          Layer.provide(Claude.layerSimulatedNoDeps),
          Layer.provideMerge(Simulator.layerWith(simulator))
        ),
        ModelRouter.layer,
        ResponseCache.layer,
        TokenRateLimiter.layer,
        CostTracker.layerMemory,
        TokenEstimator.layerMemory
      )
    ),
    Layer.provideMerge(ModelCatalog.layerDefault),
    Layer.provideMerge(Layer.merge(Settings.layerWith(overrides), Layer.fresh(Events.layerTest)))
  )

const ask = (text: string, stream: boolean): MessagesRequest => ({
  model,
  max_tokens: 200,
  messages: [{ role: "user", content: text }],
  stream
})

const request = Effect.fnUntraced(function* (id: string, text: string, streamed: boolean) {
  const governor = yield* Governor
  const options = { requestId: id, headers: { "x-client-request-id": id } }
  if (!streamed) return yield* governor.run(ask(text, false), defaultCaller, options)
  const { events, settlement } = yield* governor.stream(ask(text, true), defaultCaller, options)
  yield* Stream.runDrain(events)
  return yield* settlement
}, Effect.scoped)

const faults = [
  Fault.rateLimited(2),
  Fault.overloaded,
  Fault.serverError,
  Fault.cut(0),
  Fault.cut(3),
  Fault.errorEvent(0),
  Fault.errorEvent(4)
]

/** Moves time until everything that waits has come to its end. */
const waitAll = <A>(fibers: ReadonlyArray<Fiber.Fiber<A, unknown>>) =>
  Effect.gen(function* () {
    for (let n = 0; n < 3_000 && fibers.some((fiber) => fiber.pollUnsafe() === undefined); n++) {
      yield* TestClock.adjust("100 millis")
    }
    yield* TestClock.adjust("30 seconds")
    yield* Fiber.awaitAll(fibers)
  })

const byRequest = <A>(rows: ReadonlyArray<A>, idOf: (row: A) => string): Map<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const row of rows) groups.set(idOf(row), [...(groups.get(idOf(row)) ?? []), row])
  return groups
}

const prompts = (usages: ReadonlyArray<Usage>) => usages.map(promptTokens).sort((a, b) => a - b)

describe("with the rooms as they are shipped", () => {
  for (const seed of [1, 2, 3]) {
    it.effect(`invariant 6 against the simulator's own bill: faults, retries, aborts, sharing (seed ${seed})`, () =>
      Effect.gen(function* () {
        const simulated = yield* Simulator
        const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let n = 0; n < 120; n++) {
          if ((yield* Random.next) < 0.3) yield* simulated.inject(yield* Random.choice(faults))
          const streamed = yield* Random.nextBoolean
          const text = `question ${yield* Random.nextIntBetween(0, 60)} ${"word ".repeat(20)}`
          const fiber = yield* Effect.forkChild(request(`r${n}`, text, streamed), { startImmediately: true })
          fibers.push(fiber)
          yield* TestClock.adjust(`${yield* Random.nextIntBetween(1, 400)} millis`)
          if ((yield* Random.next) < 0.3) yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        }
        yield* waitAll(fibers)

        const { entries, total } = yield* simulated.bill
        const usages = (yield* published).flatMap((event) => (event._tag === "Usage" ? [event] : []))
        const booked = usages.filter((event) => event.cache === "miss" && event.status !== "error")
        const rows = byRequest(booked, (row) => row.requestId.split("#", 1)[0] ?? "")
        const billed = byRequest(entries, (entry) => entry.clientRequestId ?? "")
        assert.isAbove(entries.length, 40)
        assert.deepStrictEqual([...rows.keys()].sort(), [...billed.keys()].sort())
        for (const [id, attempts] of billed) {
          const own = rows.get(id) ?? []
          assert.strictEqual(own.length, attempts.length, `${id}: one row for each attempt`)
          const whole = own.filter((row) => row.status === "ok").map((row) => row.usage)
          const complete = attempts.filter((attempt) => attempt.status === "complete").map((attempt) => attempt.usage)
          assert.deepStrictEqual(whole, complete, `${id}: upstream's own figures`)
        }
        assert.isAbove(usages.filter((event) => event.status === "partial").length, 5)
        assert.isAbove(usages.filter((event) => event.cache === "hit").length, 5)

        const alerts = (yield* published).filter((event) => event._tag === "AlertRaised")
        assert.deepStrictEqual(
          alerts.filter(({ alert }) => alert.kind === "degraded"),
          []
        )
        const costs = yield* CostTracker
        const state = yield* costs.state
        const sum = booked.reduce((n, row) => n + row.costNanoUsd, 0)
        assert.strictEqual(state.total.costNanoUsd, sum)
        assert.strictEqual(state.reservedNanoUsd, 0)
        assert.isAtLeast(state.total.usage.input, total.usage.input * 0.9)
        const limiter = yield* Effect.flatMap(TokenRateLimiter, (limits) => limits.stats)
        assert.strictEqual(limiter.inFlight, 0)
      }).pipe(Random.withSeed(`seed ${seed}`), Effect.provide(rooms()))
    )
  }

  it.effect("what a stream's abort books of the prompt is what upstream billed", () =>
    Effect.gen(function* () {
      const simulated = yield* Simulator
      for (const millis of [100, 250, 500, 900]) {
        const fiber = yield* Effect.forkChild(request(`a${millis}`, `abort ${millis}`, true), {
          startImmediately: true
        })
        yield* TestClock.adjust(`${millis} millis`)
        yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* waitAll([fiber])
      }
      const { entries } = yield* simulated.bill
      const rows = (yield* published).flatMap((event) => (event._tag === "Usage" ? [event.usage] : []))
      assert.deepStrictEqual(prompts(rows), prompts(entries.map((entry) => entry.usage)))
    }).pipe(Effect.provide(rooms({ enabled: { responseCache: false } })))
  )

  it.effect("nobody's request is not tried again: who leaves between two attempts costs nothing", () =>
    Effect.gen(function* () {
      const simulated = yield* Simulator
      for (const streamed of [false, true]) {
        yield* simulated.inject(Fault.rateLimited(2), 3)
        const id = `gone ${streamed}`
        const leaver = yield* Effect.forkChild(request(id, id, streamed), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* Effect.forkChild(Fiber.interrupt(leaver), { startImmediately: true })
        yield* waitAll([leaver])
      }
      const { total } = yield* simulated.bill
      assert.strictEqual(total.requests, 0)
      const costs = yield* CostTracker
      const { reservedNanoUsd, total: spent } = yield* costs.state
      assert.deepStrictEqual([reservedNanoUsd, spent.costNanoUsd, spent.requests], [nanoUsd(0), nanoUsd(0), 0])

      yield* simulated.inject(Fault.rateLimited(2), 1)
      const stays = yield* Effect.forkChild(request("stays", "same", false), { startImmediately: true })
      const leaves = yield* Effect.forkChild(request("leaves", "same", false), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(stays)
      yield* waitAll([leaves])
      yield* Fiber.join(leaves)
    }).pipe(Effect.provide(rooms()))
  )

  it.effect("an upstream that refuses without delay is tried again like any other", () =>
    Effect.gen(function* () {
      const simulated = yield* Simulator
      for (const streamed of [false, true]) {
        yield* simulated.inject(Fault.overloaded, 2)
        const id = `at once ${streamed}`
        const fiber = yield* Effect.forkChild(request(id, id, streamed), { startImmediately: true })
        yield* waitAll([fiber])
        yield* Fiber.join(fiber)
      }
    }).pipe(Effect.provide(rooms({}, {})))
  )

  it.effect("a budget stops before anything is sent, and the next day goes on", () =>
    Effect.gen(function* () {
      const simulated = yield* Simulator
      let refused = 0
      for (let n = 0; n < 40; n++) {
        const fiber = yield* Effect.forkChild(request(`b${n}`, `budget ${n}`, false), { startImmediately: true })
        yield* waitAll([fiber])
        const exit = yield* Fiber.await(fiber)
        if (exit._tag === "Failure") refused++
      }
      assert.isAbove(refused, 0)
      const { total } = yield* simulated.bill
      assert.strictEqual(total.requests, 40 - refused)
      yield* TestClock.adjust("1 day")
      const again = yield* Effect.forkChild(request("later", "budget later", false), { startImmediately: true })
      yield* waitAll([again])
      yield* Fiber.join(again)
    }).pipe(Effect.provide(rooms({ costDailyBudgetUsd: Option.some(0.005) })))
  )
})
