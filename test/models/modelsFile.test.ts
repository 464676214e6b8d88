import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option } from "effect"
import { zero } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import models from "../../src/models/models.json" with { type: "json" }
import { Settings } from "../../src/Settings.ts"

const catalogOf = (content: string) =>
  Effect.provide(
    ModelCatalog,
    ModelCatalog.layerNoDeps.pipe(
      Layer.provide([
        Settings.layerWith({ modelsFile: Option.some("own.json") }),
        FileSystem.layerNoop({ readFileString: () => Effect.succeed(content) })
      ])
    )
  )

const catalog = (rows: unknown) => catalogOf(JSON.stringify(rows))

describe("the user's own models", () => {
  it.effect("replace fields of a known model one by one", () =>
    Effect.gen(function* () {
      const { get, all } = yield* catalog([{ id: "claude-sonnet-5-5", inputPerMTok: 1.8, contextWindow: 500_000 }])
      const model = get("sonnet")
      assert.strictEqual(model.prices.input, 1_800)
      assert.strictEqual(model.prices.output, 10_000)
      assert.strictEqual(model.contextWindow, 500_000)
      assert.strictEqual(all.length, models.length)
    })
  )

  it.effect("may name a known model by its alias", () =>
    Effect.gen(function* () {
      const { get } = yield* catalog([{ id: "claude-sonnet-4-5", outputPerMTok: 14 }])
      assert.strictEqual(get("claude-sonnet-4-5-20250929").prices.output, 14_000)
      assert.strictEqual(get("claude-sonnet-4-5").id, "claude-sonnet-4-5-20250929")
    })
  )

  it.effect("add models, and win a contested alias", () =>
    Effect.gen(function* () {
      const { get, price } = yield* catalog([
        {
          id: "claude-opus-6",
          claudeCodeAlias: "opus",
          inputPerMTok: 6.001,
          outputPerMTok: 30,
          usGeoMultiplier: 1.25,
          longContext: { thresholdTokens: 10, inputPerMTok: 12, outputPerMTok: 60 }
        }
      ])
      const model = get("opus")
      assert.strictEqual(model.id, "claude-opus-6")
      assert.strictEqual(model.family, "opus")
      assert.isFalse(model.estimated)
      // 1.25 × 6,001 = 7,501.25 and 6,001 / 10 = 600.1: rounded up, never too cheap.
      assert.deepStrictEqual(model.prices, {
        input: 6_001,
        cacheWrite5m: 7_502,
        cacheWrite1h: 12_002,
        cacheRead: 601,
        output: 30_000
      })
      assert.strictEqual(price(model, { ...zero, input: 10 }, { geo: "us" }), 75_013)
      assert.strictEqual(price(model, { ...zero, input: 11, output: 1 }), 11 * 12_000 + 60_000)
    })
  )

  it.effect("need no more than an id: without a price it costs as much as the dearest of its family", () =>
    Effect.gen(function* () {
      const { get } = yield* catalog([{ id: "claude-sonnet-9", aliases: ["mine"] }, { id: "house-model" }])
      assert.strictEqual(get("mine").prices.input, 3_000)
      assert.isTrue(get("mine").estimated)
      assert.strictEqual(get("house-model").prices.input, 15_000)
    })
  )

  it.effect("a cheap model without a family says nothing about other unknown models", () =>
    Effect.gen(function* () {
      const { get } = yield* catalog([{ id: "house-model", inputPerMTok: 0.001, outputPerMTok: 0.002 }])
      assert.strictEqual(get("house-model").prices.input, 1)
      assert.strictEqual(get("another-model").prices.input, 15_000)
    })
  )

  it.effect("a copy of the shipped table changes nothing", () =>
    Effect.gen(function* () {
      const shipped = yield* Effect.provide(ModelCatalog, ModelCatalog.layerDefault)
      const { get } = yield* catalog(models)
      for (const model of shipped.all) assert.deepStrictEqual(get(model.id).prices, model.prices)
    })
  )
})

describe("a broken file of models", () => {
  const broken: Record<string, string> = {
    "is not JSON": "[{",
    "is no list": '{"id":"x"}',
    "lacks an id": '[{"inputPerMTok":1}]',
    "misspells a field": '[{"id":"x","inputPerMtok":1}]',
    "has a negative price": '[{"id":"x","inputPerMTok":-1}]',
    "has a price finer than a nano-dollar": '[{"id":"x","inputPerMTok":0.0001}]',
    "has a price as text": '[{"id":"x","inputPerMTok":"3"}]',
    "has an unknown tokenizer": '[{"id":"x","tokenizer":"newest"}]'
  }
  for (const [what, content] of Object.entries(broken)) {
    it.effect(`that ${what} stops the start with one line`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(catalogOf(content))
        assert.strictEqual(error._tag, "ModelsFileError")
        assert.match(
          error.message,
          /^MODELS_FILE="own\.json" cannot be used: .+ Mend the file or leave MODELS_FILE empty\.$/
        )
      })
    )
  }

  it.effect("that does not exist stops the start and says so", () =>
    Effect.gen(function* () {
      const missing = Settings.layerWith({ modelsFile: Option.some("/nowhere/models.json") })
      const error = yield* Effect.flip(Effect.provide(ModelCatalog, ModelCatalog.layer.pipe(Layer.provide(missing))))
      assert.include(error.message, "/nowhere/models.json")
      assert.include(error.message, "no such file")
      assert.notInclude(error.message, "\n")
    })
  )

  it.effect("is not looked for when none is named", () =>
    Effect.map(
      Effect.provide(ModelCatalog, ModelCatalog.layer.pipe(Layer.provide(Settings.layerWith({})))),
      ({ all }) => assert.strictEqual(all.length, models.length)
    )
  )
})
