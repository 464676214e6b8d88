import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { CircuitOpen, ClaudeError, Overloaded, RateLimited, Rejected } from "../../src/claude/ClaudeError.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { answer, balance, balanced, makeWorld, type Overrides, published, request } from "./world.ts"

const refused = { status: 529, body: {}, headers: {}, requestId: null }
const overloaded = new ClaudeError({ reason: new Overloaded({ ...refused, retryAfterMillis: null }) })
const limited = (kind: "rate" | "ramp" | "spend") =>
  new ClaudeError({ reason: new RateLimited({ ...refused, status: 429, kind, retryAfterMillis: null }) })
const open = (because?: "failures" | "spend") =>
  new ClaudeError({ reason: new CircuitOpen({ retryAfterMillis: 1_000, ...(because && { because }) }) })
const rejected = new ClaudeError({ reason: new Rejected({ ...refused, status: 400 }) })

const caller = { ...defaultCaller, allowFallback: true }
const on: Overrides = { modelRouting: true }

/** A world whose upstream refuses these models that way. */
const worldWithout = (families: ReadonlyArray<string>, error: ClaudeError, overrides = on) => {
  const world = makeWorld(overrides)
  world.upstream.reply = ({ model }) =>
    families.some((family) => model.includes(family)) ? error : answer("hello", { model })
  return world
}

const asked = (world: ReturnType<typeof makeWorld>) => world.upstream.requests.map(({ model }) => model)

describe("upstream without room on a model", () => {
  for (const [name, error] of [
    ["overloaded", overloaded],
    ["rate limit", limited("rate")],
    ["ramp limit", limited("ramp")],
    ["open circuit", open()],
    ["circuit open for failures", open("failures")]
  ] as const) {
    it.effect(`${name}: another model answers, and the settlement says why`, () => {
      const world = worldWithout(["sonnet"], error)
      return Effect.gen(function* () {
        const { run } = yield* Governor
        const { settlement } = yield* run(request("x"), caller, { requestId: "r" })
        assert.deepStrictEqual(asked(world), ["claude-sonnet-5-5", "claude-haiku-5-5"])
        assert.strictEqual(settlement.model, "claude-haiku-5-5")
        assert.strictEqual(settlement.requestId, "r#haiku")
        assert.include(settlement.routing, "claude-haiku-5-5 instead of claude-sonnet-5-5")
        const [entry] = world.books.settled
        assert.include(entry, { model: "claude-haiku-5-5", requestedModel: "claude-sonnet-5-5" })
        assert.deepStrictEqual(world.books.released, ["r"])
        assert.deepStrictEqual(balance(world), balanced)
        const statuses = (yield* published).flatMap((event) => (event._tag === "Usage" ? [event.status] : []))
        assert.deepStrictEqual(statuses, ["error", "ok"])
      }).pipe(Effect.provide(world.layer))
    })
  }

  it.effect("streams too, before their first event", () => {
    const world = worldWithout(["sonnet"], overloaded)
    return Effect.gen(function* () {
      const { stream } = yield* Governor
      const governed = yield* stream(request("x"), caller)
      yield* Stream.runDrain(governed.events)
      assert.strictEqual(governed.model, "claude-haiku-5-5")
      assert.strictEqual((yield* governed.settlement).model, "claude-haiku-5-5")
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.scoped, Effect.provide(world.layer))
  })

  it.effect("one family after the other is tried, each once, and the last failure is told", () => {
    const world = worldWithout(["sonnet", "haiku", "opus"], overloaded)
    return Effect.gen(function* () {
      const { run } = yield* Governor
      const failure = yield* Effect.flip(run(request("x"), caller))
      assert.strictEqual(failure, overloaded)
      assert.deepStrictEqual(asked(world), ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"])
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  const untouched: ReadonlyArray<readonly [string, ClaudeError, Overrides, Partial<typeof caller>]> = [
    ["the caller did not allow it", overloaded, on, { allowFallback: false }],
    ["routing is off", overloaded, {}, {}],
    ["token management is off", overloaded, { ...on, tokenManagementEnabled: false }, {}],
    ["the spend limit is the organisation's", limited("spend"), on, {}],
    ["the circuit is open for the spend limit", open("spend"), on, {}],
    ["upstream rejected the request", rejected, on, {}]
  ]
  for (const [name, error, overrides, who] of untouched) {
    it.effect(`fails when ${name}`, () => {
      const world = worldWithout(["sonnet"], error, overrides)
      return Effect.gen(function* () {
        const { run } = yield* Governor
        assert.strictEqual(yield* Effect.flip(run(request("x"), { ...caller, ...who })), error)
        assert.deepStrictEqual(asked(world), ["claude-sonnet-5-5"])
        assert.deepStrictEqual(balance(world), balanced)
      }).pipe(Effect.provide(world.layer))
    })
  }
})

describe("a daily budget that runs out", () => {
  const spent = (percent: number) =>
    Effect.updateService(CostTracker, (costs) => ({
      ...costs,
      state: Effect.map(costs.state, (state) => ({
        ...state,
        dailyBudgetNanoUsd: nanoUsd(1_000),
        reservedNanoUsd: nanoUsd(100),
        today: { ...state.today, costNanoUsd: nanoUsd(percent * 10 - 100) }
      }))
    }))

  const modelAt = (percent: number, allowCheaper: boolean) => {
    const world = makeWorld(on)
    return Effect.gen(function* () {
      const { run } = yield* Governor
      const { settlement } = yield* run(request("x"), { ...defaultCaller, task: "main", allowCheaper })
      return settlement
    }).pipe(Effect.provide(Layer.fresh(Governor.layer)), spent(percent), Effect.provide(world.layer))
  }

  it.effect("a caller who allows it gets the cheaper model, reservations counted", () =>
    Effect.gen(function* () {
      const pressed = yield* modelAt(80, true)
      assert.strictEqual(pressed.model, "claude-haiku-5-5")
      assert.include(pressed.routing, "80 %")
      assert.strictEqual((yield* modelAt(79, true)).model, "claude-sonnet-5-5")
      assert.strictEqual((yield* modelAt(80, false)).model, "claude-sonnet-5-5")
    })
  )
})
