import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { prefixesOf } from "../../src/cache/Prefixes.ts"
import { PrefixGate } from "../../src/cache/PrefixGate.ts"
import { Claude } from "../../src/claude/Claude.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { reversedCopy } from "./requests.ts"

const mark = { cache_control: { type: "ephemeral" } }
const block = (text: string, extra: object = {}) => ({ type: "text", text, ...extra })
const policy = "Policy of the house. ".repeat(1000)

const sibling = (question: string, system = policy): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  system: [block(system, mark)],
  messages: [{ role: "user", content: [block(question)] }]
})

const gate = PrefixGate.layerWith({ patienceMillis: 10_000, minChars: 1000, warmMillis: 300_000 })

/** A call whose response begins after two seconds and ends after five; answers when it was let in. */
const call = Effect.fnUntraced(function* (request: MessagesRequest, account = "a") {
  const { enter } = yield* PrefixGate
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { begun, waitedMillis } = yield* enter(request, account)
      yield* Effect.sleep("2 seconds")
      yield* begun
      yield* Effect.sleep("3 seconds")
      return waitedMillis
    })
  )
})

const waits = Effect.fnUntraced(function* (calls: ReadonlyArray<ReturnType<typeof call>>) {
  const fibers = yield* Effect.forEach(calls, (one) => Effect.forkChild(one))
  yield* TestClock.adjust("1 minute")
  return yield* Fiber.joinAll(fibers)
})

describe("the gate", () => {
  it.effect("lets the first write, and the others in when its response begins", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* waits(["a", "b", "c"].map((question) => call(sibling(question)))), [0, 2000, 2000])
      assert.deepStrictEqual(yield* waits([call(sibling("d")), call(sibling("e"))]), [0, 0])
    }).pipe(Effect.provide(gate))
  )

  it.effect(
    "holds nobody up over another prefix, another model or account, a short one, or one without breakpoint",
    () =>
      Effect.gen(function* () {
        const unmarked = { ...sibling("q"), system: policy }
        const calls = [
          call(sibling("q")),
          call(sibling("q", `${policy}!`)),
          call({ ...sibling("q"), model: "claude-opus-5-5" }),
          call(sibling("q"), "b"),
          call(sibling("q", "short")),
          call(sibling("q", "short")),
          call(unmarked),
          call(unmarked)
        ]
        assert.isTrue((yield* waits(calls)).every((waited) => waited === 0))
      }).pipe(Effect.provide(gate))
  )

  it.effect("hands over when the writer fails before its response begins", () =>
    Effect.gen(function* () {
      const { enter } = yield* PrefixGate
      const scope = yield* Scope.make()
      yield* Scope.provide(enter(sibling("fails"), "a"), scope)
      const others = yield* Effect.forEach(["b", "c"], (question) => Effect.forkChild(call(sibling(question))))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.joinAll(others), [1000, 3000])
    }).pipe(Effect.provide(gate))
  )

  it.effect("waits no longer than its patience", () =>
    Effect.gen(function* () {
      const { enter } = yield* PrefixGate
      yield* enter(sibling("never begins"), "a")
      assert.deepStrictEqual(yield* waits([call(sibling("b"))]), [10_000])
    }).pipe(Effect.provide(gate), Effect.scoped)
  )

  it.effect("forgets what upstream has forgotten", () =>
    Effect.gen(function* () {
      yield* waits([call(sibling("a"))])
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* waits([call(sibling("b")), call(sibling("c"))]), [0, 2000])
    }).pipe(Effect.provide(gate))
  )

  it.effect("forgets it in time although the clock was put back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(7_200_000)
      yield* waits([call(sibling("a"))])
      yield* TestClock.setTime(3_600_000)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* waits([call(sibling("b")), call(sibling("c"))]), [0, 2000])
    }).pipe(Effect.provide(gate))
  )

  it.effect("lets by what has no name: a number that JavaScript cannot hold, nesting without end", () =>
    Effect.gen(function* () {
      const { enter } = yield* PrefixGate
      const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`)
      for (const odd of [deep, 2 ** 53]) {
        const request = { ...sibling("q"), tools: [{ name: "t", input_schema: odd, ...mark }] }
        assert.strictEqual((yield* enter(request, "a")).waitedMillis, 0)
        assert.strictEqual((yield* enter(request, "a")).waitedMillis, 0)
      }
    }).pipe(Effect.provide(gate), Effect.scoped)
  )

  it.effect("waits for the longer prefix when only the shorter one is warm", () =>
    Effect.gen(function* () {
      const deeper = (question: string): MessagesRequest => ({
        ...sibling(""),
        messages: [
          { role: "user", content: [block("shared ".repeat(500), mark)] },
          { role: "assistant", content: "yes" },
          { role: "user", content: question }
        ]
      })
      yield* waits([call(sibling("warms the system prompt"))])
      assert.deepStrictEqual(yield* waits([call(deeper("a")), call(deeper("b")), call(sibling("c"))]), [0, 2000, 0])
    }).pipe(Effect.provide(gate))
  )

  it.effect("switched off, nobody waits", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* waits([call(sibling("a")), call(sibling("b"))]), [0, 0])
    }).pipe(Effect.provide(PrefixGate.layerOff))
  )
})

describe("prefixes", () => {
  it("are named by what they hold, wherever the other breakpoints are, longest first", () => {
    const messages = [
      { role: "user" as const, content: [block("one"), block("two", mark), block("three")] },
      { role: "assistant" as const, content: [block("four", mark)] }
    ]
    const request = { ...sibling("x"), messages, cache_control: { type: "ephemeral" } }
    const names = (of: MessagesRequest) => prefixesOf(of, "a").map(({ name }) => name)
    const [automatic, last, inner, system, ...more] = names(request)
    assert.deepStrictEqual(more, [])
    assert.strictEqual(automatic, last)
    assert.lengthOf(new Set([last, inner, system]), 3)
    assert.deepStrictEqual(names(reversedCopy(request) as MessagesRequest), names(request))
    assert.deepStrictEqual(names(sibling("y")), [system])
    const plain = { ...request, cache_control: undefined, system: [block(policy)] }
    assert.deepStrictEqual(names(plain), [last, inner])
    assert.deepStrictEqual(names({ ...plain, max_tokens: 1, temperature: 0 }), [last, inner])
    assert.notDeepEqual(names({ ...plain, thinking: { type: "enabled" } }), [last, inner])
  })
})

describe("in dollars, on the simulator", () => {
  const siblings = Array.from({ length: 8 }, (_, i) => sibling(`Question ${i}?`))
  const simulated = Claude.layerSimulatedNoDeps.pipe(
    Layer.provideMerge(Simulator.layerWith({ firstByte: "2 seconds", rule: () => ({ content: [block("Yes.")] }) }))
  )

  const inputDollars = (layer: Layer.Layer<PrefixGate>) =>
    Effect.gen(function* () {
      const { enter } = yield* PrefixGate
      const claude = yield* Claude
      const catalog = yield* ModelCatalog
      const ask = (request: MessagesRequest) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { begun } = yield* enter(request, "a")
            const { events } = yield* claude.stream(request)
            yield* begun
            return yield* Stream.runCollect(events)
          })
        )
      const fibers = yield* Effect.forEach(siblings, (request) => Effect.forkChild(ask(request)))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.joinAll(fibers)
      const { entries } = yield* (yield* Simulator).bill
      const model = catalog.get("claude-sonnet-5-5")
      const usages = entries.map(({ usage }) => ({ ...usage, output: 0 }))
      return { nano: usages.reduce((sum, usage) => sum + catalog.price(model, usage), 0), usages }
    }).pipe(Effect.provide(Layer.mergeAll(layer, simulated, ModelCatalog.layerDefault)))

  it.effect("eight siblings cost one cache write instead of eight", () =>
    Effect.gen(function* () {
      const without = yield* inputDollars(PrefixGate.layerOff)
      const gated = yield* inputDollars(gate)
      const writes = (usages: typeof gated.usages) => usages.filter(({ cacheWrite5m }) => cacheWrite5m > 0).length
      assert.deepStrictEqual([writes(without.usages), writes(gated.usages)], [8, 1])
      assert.isBelow(gated.nano, without.nano * 0.2)
    })
  )
})
