import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { makeWorld, type Overrides, request } from "./world.ts"

const twice = Effect.fnUntraced(function* (world: ReturnType<typeof makeWorld>) {
  const governor = yield* Governor
  const held = world.steps.hold("claude.answering")
  const first = yield* Effect.forkChild(governor.run(request("x"), defaultCaller), { startImmediately: true })
  yield* held.reached
  const second = yield* Effect.forkChild(governor.run(request("x"), defaultCaller), { startImmediately: true })
  held.release()
  yield* Fiber.join(first)
  return yield* Fiber.join(second)
})

const stepsWith = (overrides: Overrides) => {
  const world = makeWorld(overrides)
  return twice(world).pipe(
    Effect.map((last) => ({ world, last, rooms: new Set(world.steps.log.map((step) => step.split(".")[0])) })),
    Effect.provide(world.layer)
  )
}

describe("switches", () => {
  it.effect("RESPONSE_CACHE_ENABLED=false: no look-up, no sharing, no storing", () =>
    Effect.gen(function* () {
      const { last, rooms, world } = yield* stepsWith({ enabled: { responseCache: false } })
      assert.isFalse(rooms.has("cache"))
      assert.strictEqual(world.upstream.requests.length, 2)
      assert.strictEqual(last.settlement.cache, "bypass")
    })
  )

  it.effect("RATE_LIMIT_ENABLED=false: the limiter is not asked and not told", () =>
    Effect.gen(function* () {
      const { rooms } = yield* stepsWith({ enabled: { rateLimit: false } })
      assert.isFalse(rooms.has("limiter"))
    })
  )

  it.effect("COST_TRACKING_ENABLED=false: nothing is booked, prices are still told", () =>
    Effect.gen(function* () {
      const { last, rooms } = yield* stepsWith({ enabled: { costTracking: false } })
      assert.isFalse(rooms.has("costs"))
      assert.strictEqual(last.settlement.savedNanoUsd, 400_000)
    })
  )

  it.effect("TOKEN_MANAGEMENT_ENABLED=false: untouched to upstream, only metered", () =>
    Effect.gen(function* () {
      const { rooms, world } = yield* stepsWith({ tokenManagementEnabled: false, modelRouting: true })
      assert.deepStrictEqual([...rooms].sort(), ["claude", "costs", "estimator", "events"])
      assert.strictEqual(world.upstream.requests.length, 2)
      assert.strictEqual(world.books.settled.length, 2)
    })
  )

  it.effect("the request reaches upstream as the very object it came as", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const asked = request("x", { anything: { new: true } })
      yield* governor.run(asked, defaultCaller)
      assert.strictEqual(world.upstream.requests[0], asked)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("a gateway's bytes go on as they came, unless routing chose another model", () => {
    const world = makeWorld({ modelRouting: true })
    const body = new Uint8Array([1, 2, 3])
    const forward = { body, query: "?beta=true", scheme: "bearer" } as const
    const headers = { "anthropic-beta": "b" }
    return Effect.gen(function* () {
      const governor = yield* Governor
      yield* governor.run(request("x"), defaultCaller, { forward, headers })
      yield* governor.run(request("x"), { ...defaultCaller, task: "summary" }, { forward, headers })
      const [as, rewritten] = world.upstream.options
      assert.strictEqual(as?.forward?.body, body)
      assert.strictEqual(as?.headers, headers)
      assert.deepStrictEqual(rewritten?.forward, { ...forward, body: undefined })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("routing on: the task's model is sent and priced; with token management off it is not", () =>
    Effect.gen(function* () {
      for (const tokenManagementEnabled of [true, false]) {
        const world = makeWorld({ modelRouting: true, tokenManagementEnabled })
        yield* Effect.gen(function* () {
          const governor = yield* Governor
          const { settlement } = yield* governor.run(request("x"), { ...defaultCaller, task: "summary" })
          const expected = tokenManagementEnabled ? "claude-haiku-5-5" : "claude-sonnet-5-5"
          assert.strictEqual(world.upstream.requests[0]?.model, expected)
          assert.strictEqual(settlement.model, expected)
        }).pipe(Effect.provide(world.layer))
      }
    })
  )
})
