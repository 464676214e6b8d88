import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Logger, References, Schema } from "effect"
import { Usage, zero } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

const million = 1_000_000

const decorated: ReadonlyArray<readonly [asked: string, id: string]> = [
  ["claude-sonnet-5-5", "claude-sonnet-5-5"],
  ["  Claude-Sonnet-5-5 ", "claude-sonnet-5-5"],
  ["anthropic.claude-opus-4-6-v1", "claude-opus-4-6"],
  ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"],
  ["us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet-20240620"],
  ["eu.anthropic.claude-haiku-4-5-20251001-v1:0:200k", "claude-haiku-4-5-20251001"],
  ["global.anthropic.claude-opus-4-5-20251101-v1:0[1m]", "claude-opus-4-5-20251101"],
  ["eu.claude-opus-5", "claude-opus-5"],
  [
    "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0",
    "claude-sonnet-4-20250514"
  ],
  ["claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"],
  ["claude-sonnet-4-5@20250929[1m]", "claude-sonnet-4-5-20250929"],
  ["claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022"],
  ["claude-opus-4-8@default", "claude-opus-4-8"],
  ["publishers/anthropic/models/claude-opus-5", "claude-opus-5"],
  ["anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929"],
  ["claude-opus-4-6[1m]", "claude-opus-4-6"],
  ["claude-opus-4-8-fast", "claude-opus-4-8"],
  ["claude-opus-5-5-fast[1m]", "claude-opus-5-5"],
  ["claude-opus-5-5-latest", "claude-opus-5-5"],
  ["claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"],
  ["claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"],
  ["claude-3-5-sonnet", "claude-3-5-sonnet-20241022"],
  ["claude-opus-4-6-20260205", "claude-opus-4-6"],
  ["claude-opus-4-7-20260416", "claude-opus-4-7"],
  ["claude-opus-4", "claude-opus-4-20250514"],
  ["claude-opus-4-0", "claude-opus-4-20250514"],
  ["opus", "claude-opus-5-5"],
  ["sonnet", "claude-sonnet-5-5"],
  ["sonnet[1m]", "claude-sonnet-5-5"],
  ["haiku", "claude-haiku-5-5"],
  ["fable", "claude-fable-5-2"]
]

const NoPrompt = { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0 }

layer(ModelCatalog.layerDefault)("ModelCatalog: the shipped table", (it) => {
  for (const [asked, id] of decorated) {
    it.effect(`${JSON.stringify(asked)} is ${id}`, () =>
      Effect.map(ModelCatalog, ({ get }) => {
        assert.strictEqual(get(asked).id, id)
        assert.isFalse(get(asked).estimated)
      })
    )
  }

  it.effect("every id and every alias finds its own model", () =>
    Effect.map(ModelCatalog, ({ all, get }) => {
      for (const model of all) {
        for (const name of [model.id, ...model.aliases]) assert.strictEqual(get(name).id, model.id)
      }
    })
  )

  it.effect("holds prices as whole nano-dollars per token", () =>
    Effect.map(ModelCatalog, ({ all, get }) => {
      for (const { prices, longContext, fast } of all) {
        for (const table of [prices, longContext?.prices, fast]) {
          for (const value of Object.values(table ?? {})) assert.isTrue(Number.isInteger(value) && value > 0)
        }
      }
      assert.deepStrictEqual(get("claude-3-haiku-20240307").prices, {
        input: 250,
        cacheWrite5m: 300,
        cacheWrite1h: 500,
        cacheRead: 30,
        output: 1250
      })
      assert.deepStrictEqual(get("claude-haiku-5-5").prices, {
        input: 100,
        cacheWrite5m: 125,
        cacheWrite1h: 200,
        cacheRead: 10,
        output: 500
      })
    })
  )

  it.effect("knows tokenizer generation, windows and the cacheable minimum", () =>
    Effect.map(ModelCatalog, ({ get }) => {
      assert.strictEqual(get("claude-opus-4-6").tokenizer, "old")
      assert.strictEqual(get("claude-opus-4-7").tokenizer, "new")
      assert.strictEqual(get("claude-haiku-4-5").contextWindow, 200_000)
      assert.strictEqual(get("claude-haiku-4-5").minCacheableTokens, 4_096)
      assert.strictEqual(get("claude-fable-5-2").minCacheableTokens, 512)
      assert.strictEqual(get("claude-3-opus-20240229").minCacheableTokens, 1_024)
    })
  )

  it.effect("prices an unknown model as the dearest of its family, kind by kind", () =>
    Effect.map(ModelCatalog, ({ all, get }) => {
      for (const family of ["fable", "mythos", "opus", "sonnet", "haiku"]) {
        const unknown = get(`claude-${family}-99`)
        assert.isTrue(unknown.estimated)
        assert.strictEqual(unknown.id, `claude-${family}-99`)
        assert.strictEqual(unknown.family, family)
        const siblings = all.filter((model) => model.family === family)
        assert.strictEqual(unknown.prices.cacheRead, Math.max(...siblings.map((model) => model.prices.cacheRead)))
        assert.strictEqual(unknown.prices.output, Math.max(...siblings.map((model) => model.prices.output)))
      }
      assert.strictEqual(get("claude-haiku-99").prices.input, 1_000)
    })
  )

  it.effect("prices a model of an unknown family as the dearest of all", () =>
    Effect.map(ModelCatalog, ({ get }) => {
      for (const id of ["gpt-7", "", "__proto__", "claude-corpus-1"]) {
        assert.isTrue(get(id).estimated)
        assert.strictEqual(get(id).prices.input, 15_000)
        assert.strictEqual(get(id).prices.output, 75_000)
      }
    })
  )

  it.effect("a listed model without a price is estimated from its family", () =>
    Effect.map(ModelCatalog, ({ get }) => {
      const preview = get("claude-mythos-preview")
      assert.isTrue(preview.estimated)
      assert.strictEqual(preview.prices.input, 10_000)
      assert.strictEqual(preview.minCacheableTokens, 2_048)
    })
  )

  it.effect("an id of any size is answered, and only its beginning is kept", () =>
    Effect.map(ModelCatalog, ({ get }) => {
      const model = get(`claude-opus-${"[".repeat(5 * million)}`)
      assert.strictEqual(model.family, "opus")
      assert.isAtMost(model.id.length, 300)
    })
  )

  it.effect("answers the same object for the same id", () =>
    Effect.map(ModelCatalog, ({ get }) => assert.strictEqual(get("claude-opus-77"), get("claude-opus-77")))
  )
})

layer(ModelCatalog.layerDefault)("ModelCatalog.price", (it) => {
  it.effect("adds the five kinds at their own prices", () =>
    Effect.map(ModelCatalog, ({ get, price }) => {
      const usage = { input: 3, cacheWrite5m: 5, cacheWrite1h: 7, cacheRead: 11, output: 13 }
      assert.strictEqual(
        price(get("claude-sonnet-5-5"), usage),
        3 * 2000 + 5 * 2500 + 7 * 4000 + 11 * 100 + 13 * 10_000
      )
    })
  )

  it.effect("the dear tier begins strictly above 100,000 prompt tokens, and prices the whole request", () =>
    Effect.map(ModelCatalog, ({ get, price }) => {
      const haiku = get("claude-haiku-5-5")
      const at = { input: 10_000, cacheWrite5m: 20_000, cacheWrite1h: 30_000, cacheRead: 40_000, output: 1_000 }
      const cheap = 10_000 * 100 + 20_000 * 125 + 30_000 * 200 + 40_000 * 10 + 1_000 * 500
      assert.strictEqual(price(haiku, at), cheap)
      for (const kind of ["input", "cacheWrite5m", "cacheWrite1h", "cacheRead"] as const) {
        const rates = { input: 100, cacheWrite5m: 125, cacheWrite1h: 200, cacheRead: 10 }
        assert.strictEqual(price(haiku, { ...at, [kind]: at[kind] + 1 }), 5 * (cheap + rates[kind]))
      }
      assert.strictEqual(price(haiku, { ...NoPrompt, output: 200_000 }), 200_000 * 500)
    })
  )

  it.effect("us inference costs 11/10, rounded half up once", () =>
    Effect.map(ModelCatalog, ({ get, price }) => {
      const haiku = get("claude-haiku-5-5")
      assert.strictEqual(price(haiku, { ...zero, input: 1 }, { geo: "us" }), 110)
      // 125 and 375 nano-dollars × 1.1 are 137.5 and 412.5.
      assert.strictEqual(price(haiku, { ...zero, cacheWrite5m: 1 }, { geo: "us" }), 138)
      assert.strictEqual(price(haiku, { ...zero, cacheWrite5m: 3 }, { geo: "us" }), 413)
      assert.strictEqual(price(haiku, { ...zero, cacheWrite5m: 1 }, { geo: "global" }), 125)
      // Models before 4.6 reject the parameter, so there is nothing to multiply.
      assert.strictEqual(price(get("claude-sonnet-4-5"), { ...zero, input: 1 }, { geo: "us" }), 3_000)
    })
  )

  it.effect("fast mode has its own prices, and is standard where it is not offered", () =>
    Effect.map(ModelCatalog, ({ get, price }) => {
      const usage = { ...zero, cacheRead: 10, output: 1 }
      assert.strictEqual(price(get("claude-opus-5-5"), usage, { speed: "fast" }), 10 * 400 + 40_000)
      assert.strictEqual(price(get("claude-opus-5-5"), usage, { speed: "fast", geo: "us" }), 48_400)
      assert.strictEqual(price(get("claude-opus-5-5"), usage, { speed: "standard" }), 22_000)
      assert.strictEqual(price(get("claude-opus-4-6"), usage, { speed: "fast" }), 10 * 500 + 25_000)
    })
  )

  it.effect("stays exact where the intermediate product is no safe integer", () =>
    Effect.map(ModelCatalog, ({ get, price }) => {
      const input = 450_000_000_001
      assert.strictEqual(price(get("claude-opus-4-1"), { ...zero, input: 600_000_000_000 }), 600_000_000_000 * 15_000)
      assert.strictEqual(price(get("claude-fable-5"), { ...zero, input }, { geo: "us" }), input * 11_000)
      assert.throws(() => price(get("claude-opus-4-1"), { ...zero, input: 700_000_000_000 }), RangeError)
    })
  )

  it.effect.prop(
    "equals arbitrary-precision arithmetic",
    [Usage, Schema.Boolean, Schema.Boolean],
    ([usage, us, fast]) =>
      Effect.map(ModelCatalog, ({ all, price }) => {
        const counts = Object.fromEntries(Object.entries(usage).map(([kind, n]) => [kind, n % 1_000_000_000]))
        const bounded = { ...zero, ...counts }
        for (const model of all) {
          const prompt = bounded.input + bounded.cacheWrite5m + bounded.cacheWrite1h + bounded.cacheRead
          const long = model.longContext !== undefined && prompt > model.longContext.above
          const rates =
            (fast ? model.fast : undefined) ?? (long ? model.longContext?.prices : undefined) ?? model.prices
          const kinds = ["input", "cacheWrite5m", "cacheWrite1h", "cacheRead", "output"] as const
          const sum = kinds.reduce((total, kind) => total + BigInt(bounded[kind]) * BigInt(rates[kind]), 0n)
          const [n, d] = us ? [BigInt(model.usGeo.numerator), BigInt(model.usGeo.denominator)] : [1n, 1n]
          const options = { geo: us ? "us" : null, speed: fast ? "fast" : undefined }
          assert.strictEqual(BigInt(price(model, bounded, options)), (2n * sum * n + d) / (2n * d))
        }
      })
  )
})

describe("ModelCatalog.resolve", () => {
  const listening = <A, E>(use: Effect.Effect<A, E, ModelCatalog>) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.as(
      use.pipe(
        Effect.provide(ModelCatalog.layerDefault),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "Warn")
      ),
      lines
    )
  }

  it.effect("warns once per unknown id, and never for a known one", () =>
    Effect.gen(function* () {
      const lines = yield* listening(
        Effect.gen(function* () {
          const { resolve } = yield* ModelCatalog
          for (const id of ["claude-opus-5-5", "claude-opus-99", "claude-opus-99", "gpt-7", "gpt-7"]) yield* resolve(id)
        })
      )
      assert.strictEqual(lines.length, 2)
      assert.include(lines[0], '"claude-opus-99" is not known')
      assert.include(lines[0], "$15 in, $75 out")
      assert.include(lines[1], "dearest of all")
    })
  )

  it.effect("ten thousand unknown ids neither flood the log nor stay in memory", () =>
    Effect.gen(function* () {
      const lines = yield* listening(
        Effect.gen(function* () {
          const { resolve } = yield* ModelCatalog
          for (let i = 0; i < 10_000; i++) yield* resolve(`claude-opus-x${i}`)
        })
      )
      assert.strictEqual(lines.length, 100)
      assert.include(lines.at(-1), "Further unknown models are not named")
    })
  )

  it.effect("a line break in an id cannot forge a line of the log", () =>
    Effect.map(listening(Effect.flatMap(ModelCatalog, ({ resolve }) => resolve("x\nERROR forged"))), (lines) =>
      assert.notInclude(lines[0], "\n")
    )
  )
})
