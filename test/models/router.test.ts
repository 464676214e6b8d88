import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { type Caller, defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { type Usage, zero } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter, type Situation } from "../../src/models/ModelRouter.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"

const haiku = "claude-haiku-5-5"
const sonnet = "claude-sonnet-5-5"
const opus = "claude-opus-5-5"

const request = (model: string, more: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model,
  max_tokens: 1_000,
  messages: [{ role: "user", content: "Hello" }],
  ...more
})

const router = (overrides: SettingsOverrides = {}) =>
  ModelRouter.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(Settings.layerWith({ modelRouting: true, ...overrides }), ModelCatalog.layerDefault)
    )
  )

const route = (model: string, caller: Partial<Caller>, situation?: Situation, more?: Partial<MessagesRequest>) =>
  Effect.flatMap(ModelRouter, (service) =>
    service.route(request(model, more), { ...defaultCaller, ...caller }, situation)
  )

describe("budget pressure", () => {
  const pressed: Situation = { budgetPercent: 83.4 }

  it.effect("moves one step down, and says how far the budget is used", () =>
    Effect.gen(function* () {
      const caller = { task: "main", allowCheaper: true } as const
      const { id, reason } = yield* route(sonnet, caller, pressed)
      assert.strictEqual(id, haiku)
      assert.include(reason, "83 %")
      assert.strictEqual((yield* route(opus, { ...caller, task: "complex" }, pressed)).id, sonnet)
      assert.strictEqual((yield* route(opus, { allowCheaper: true }, pressed)).id, sonnet)
    }).pipe(Effect.provide(router()))
  )

  it.effect("does nothing to callers who did not allow it", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* route(sonnet, { task: "main" }, pressed)).id, sonnet)
      assert.strictEqual((yield* route(sonnet, { task: "main", allowCheaper: false }, pressed)).id, sonnet)
    }).pipe(Effect.provide(router()))
  )

  it.effect("begins at 80 percent, and needs a budget", () =>
    Effect.gen(function* () {
      const caller = { task: "main", allowCheaper: true } as const
      assert.strictEqual((yield* route(sonnet, caller, { budgetPercent: 79.9 })).id, sonnet)
      assert.strictEqual((yield* route(sonnet, caller, { budgetPercent: 80 })).id, haiku)
      assert.strictEqual((yield* route(sonnet, caller, {})).id, sonnet)
    }).pipe(Effect.provide(router()))
  )

  it.effect("says so when nothing cheaper can take the request", () =>
    Effect.gen(function* () {
      const { id, reason } = yield* route(haiku, { allowCheaper: true }, pressed)
      assert.strictEqual(id, haiku)
      assert.include(reason, "no cheaper model")
      const thinking = { thinking: { type: "enabled", budget_tokens: 1_024 } }
      assert.strictEqual(
        (yield* route("claude-opus-4-6", { allowCheaper: true }, pressed, thinking)).id,
        "claude-opus-4-6"
      )
    }).pipe(Effect.provide(router()))
  )

  it.effect("does nothing with routing off", () =>
    Effect.map(route(sonnet, { allowCheaper: true }, pressed), ({ id }) => assert.strictEqual(id, sonnet)).pipe(
      Effect.provide(router({ modelRouting: false }))
    )
  )
})

describe("another model instead", () => {
  const instead = (
    asked: string,
    failed: ReadonlyArray<string>,
    caller: Partial<Caller>,
    more?: Partial<MessagesRequest>
  ) =>
    Effect.gen(function* () {
      const { get } = yield* ModelCatalog
      const service = yield* ModelRouter
      const models = failed.map(get)
      return yield* service.instead(request(asked, more), { ...defaultCaller, ...caller }, models, "No room.")
    })
  const allowed = { allowFallback: true }

  it.effect("goes down the families, one after the other, and only then up", () =>
    Effect.gen(function* () {
      const first = yield* instead(opus, [opus], allowed)
      assert.strictEqual(first?.id, sonnet)
      assert.include(first?.reason, "No room.")
      assert.include(first?.reason, sonnet)
      assert.strictEqual((yield* instead(opus, [opus, sonnet], allowed))?.id, haiku)
      assert.strictEqual((yield* instead(haiku, [haiku], allowed))?.id, sonnet)
      assert.strictEqual((yield* instead(opus, [sonnet, haiku], allowed))?.id, opus)
      assert.isUndefined(yield* instead(opus, [opus, sonnet, haiku], allowed))
    }).pipe(Effect.provide(router()))
  )

  it.effect("never within the family that failed, whatever its version", () =>
    Effect.map(instead("claude-opus-4-6", ["claude-opus-4-6"], allowed), (found) =>
      assert.strictEqual(found?.id, sonnet)
    ).pipe(Effect.provide(router()))
  )

  it.effect("only when the caller allows it", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* instead(opus, [opus], {}))
      assert.isUndefined(yield* instead(opus, [opus], { allowFallback: false }))
    }).pipe(Effect.provide(router()))
  )

  it.effect("only when routing is on", () =>
    Effect.map(instead(opus, [opus], allowed), (found) => assert.isUndefined(found)).pipe(
      Effect.provide(router({ modelRouting: false }))
    )
  )

  it.effect("passes over a model that cannot take the request", () =>
    Effect.gen(function* () {
      const forced = { tools: [{ name: "t" }], tool_choice: { type: "any" } }
      assert.strictEqual((yield* instead("claude-opus-4-6", ["claude-opus-4-6"], allowed, forced))?.id, haiku)
    }).pipe(Effect.provide(router()))
  )
})

describe("the prompt cache of a conversation", () => {
  const talk = { conversation: "c" }
  const cached = (tokens: number, output: number): Usage => ({ ...zero, input: 10, cacheRead: tokens, output })
  const learned = Effect.fnUntraced(function* (model: string, usage: Usage, caller: Partial<Caller> = talk) {
    const { get } = yield* ModelCatalog
    const { observe } = yield* ModelRouter
    observe({ ...defaultCaller, ...caller }, get(model), usage, yield* Clock.currentTimeMillis)
  })
  const simple = { ...talk, task: "simple" } as const

  it.effect("holds a conversation where writing the prompt again costs more than the answer saves", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      const { id, reason } = yield* route(sonnet, simple)
      assert.strictEqual(id, sonnet)
      assert.include(reason, "150000 tokens")
      assert.match(reason, /\$0\.\d+ there and \$0\.\d+ on claude-haiku-5-5/)
    }).pipe(Effect.provide(router()))
  )

  it.effect("does not where the gain is larger", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(20_000, 1_000))
      assert.strictEqual((yield* route(sonnet, simple)).id, haiku)
    }).pipe(Effect.provide(router()))
  )

  it.effect("is gone after five minutes, or an hour", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual((yield* route(sonnet, simple)).id, sonnet)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* route(sonnet, simple)).id, haiku)
      yield* learned(sonnet, { ...zero, cacheWrite1h: 150_000, output: 100 })
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual((yield* route(sonnet, simple)).id, sonnet)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* route(sonnet, simple)).id, haiku)
    }).pipe(Effect.provide(router()))
  )

  it.effect("keeps nobody from a dearer model that the task needs", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      assert.strictEqual((yield* route(sonnet, { ...talk, task: "complex" })).id, opus)
    }).pipe(Effect.provide(router()))
  )

  it.effect("does not change a request that asks for the cheap model itself", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      assert.strictEqual((yield* route(haiku, simple)).id, haiku)
    }).pipe(Effect.provide(router()))
  )

  it.effect("is a conversation's and a tenant's own, and survives a side question", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      yield* learned(haiku, { ...zero, input: 500, output: 20 })
      assert.strictEqual((yield* route(sonnet, simple)).id, sonnet)
      assert.strictEqual((yield* route(sonnet, { ...simple, conversation: "d" })).id, haiku)
      assert.strictEqual((yield* route(sonnet, { ...simple, tenant: "other" })).id, haiku)
      assert.strictEqual((yield* route(sonnet, { task: "simple" })).id, haiku)
    }).pipe(Effect.provide(router()))
  )

  it.effect("stays with the routed model, not the requested one, when that is who answered last", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      const { id, model } = yield* route("claude-fable-5", simple)
      assert.deepStrictEqual([id, model.id], [sonnet, sonnet])
    }).pipe(Effect.provide(router()))
  )

  it.effect("is remembered for ten thousand conversations, no more", () =>
    Effect.gen(function* () {
      yield* learned(sonnet, cached(150_000, 100))
      for (let n = 0; n < 10_000; n++) yield* learned(sonnet, cached(1_000, 1), { conversation: `other ${n}` })
      assert.strictEqual((yield* route(sonnet, simple)).id, haiku)
    }).pipe(Effect.provide(router()))
  )
})
