import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { defaultCaller, type Task } from "../../src/domain/Caller.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"

const request = (model: string, max_tokens = 1_000) => ({
  model,
  max_tokens,
  messages: [{ role: "user", content: "Hello" } as const]
})

const routed = (overrides: SettingsOverrides, model: string, task?: Task, maxTokens?: number) =>
  Effect.flatMap(ModelRouter, ({ route }) => route(request(model, maxTokens), { ...defaultCaller, task })).pipe(
    Effect.provide(ModelRouter.layer.pipe(Layer.provide([Settings.layerWith(overrides), ModelCatalog.layerDefault])))
  )

const on = { modelRouting: true }

describe("ModelRouter, off", () => {
  it.effect("keeps the requested model, as it was written", () =>
    Effect.gen(function* () {
      const route = yield* routed({}, "claude-opus-4-6[1m]", "simple")
      assert.strictEqual(route.model.id, "claude-opus-4-6")
      assert.strictEqual(route.id, "claude-opus-4-6[1m]")
      assert.strictEqual(route.reason, "Routing is off.")
    })
  )

  it.effect("layerOff needs no settings", () =>
    Effect.map(
      Effect.flatMap(ModelRouter, ({ route }) => route(request("claude-x"), defaultCaller)),
      ({ id, model }) => {
        assert.strictEqual(id, "claude-x")
        assert.isTrue(model.estimated)
      }
    ).pipe(Effect.provide(ModelRouter.layerOff.pipe(Layer.provide(ModelCatalog.layerDefault))))
  )
})

describe("ModelRouter, on", () => {
  const expected: Record<Task, string> = {
    summary: "claude-haiku-5-5",
    classification: "claude-haiku-5-5",
    simple: "claude-haiku-5-5",
    main: "claude-sonnet-5-5",
    complex: "claude-opus-5-5"
  }
  // `Object.entries` forgets the keys' type.
  for (const [task, id] of Object.entries(expected) as ReadonlyArray<[Task, string]>) {
    it.effect(`${task} goes to ${id}, and says why`, () =>
      Effect.gen(function* () {
        const route = yield* routed(on, "claude-fable-5", task)
        assert.strictEqual(route.id, id)
        assert.strictEqual(route.model.id, id)
        assert.include(route.reason, task)
        assert.include(route.reason, id)
      })
    )
  }

  it.effect("without a task the model stays", () =>
    Effect.map(routed(on, "opus"), ({ id }) => assert.strictEqual(id, "opus"))
  )

  it.effect("a model of the right family stays", () =>
    Effect.map(routed(on, "claude-haiku-4-5", "summary"), ({ id, reason }) => {
      assert.strictEqual(id, "claude-haiku-4-5")
      assert.include(reason, "already")
    })
  )

  it.effect("a request that the better model could not finish stays", () =>
    Effect.gen(function* () {
      const settings = { ...on, summaryModel: "claude-3-haiku-20240307" }
      assert.strictEqual((yield* routed(settings, "claude-opus-5", "summary", 4_096)).id, "claude-3-haiku-20240307")
      const tooLong = yield* routed(settings, "claude-opus-5", "summary", 4_097)
      assert.strictEqual(tooLong.id, "claude-opus-5")
      assert.include(tooLong.reason, "4097")
    })
  )

  it.effect("obeys SUMMARY_MODEL and ORCHESTRATOR_MODEL", () =>
    Effect.gen(function* () {
      const settings = { ...on, summaryModel: "claude-sonnet-5", orchestratorModel: "claude-opus-5" }
      assert.strictEqual((yield* routed(settings, "claude-fable-5", "summary")).id, "claude-sonnet-5")
      assert.strictEqual((yield* routed(settings, "claude-fable-5", "main")).id, "claude-opus-5")
    })
  )
})
