import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { makePricing } from "../../src/costs/Pricing.ts"
import type { ApiUsage } from "../../src/domain/MessagesRequest.ts"
import { sum, toUsd } from "../../src/domain/Money.ts"
import { add, consumed, fromApi, zero } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

const billing = Effect.map(ModelCatalog, (catalog) => {
  const pricing = makePricing(catalog)
  return (model: string, apiUsage: ApiUsage, partial = false) =>
    pricing.bill({ model, usage: fromApi(apiUsage), apiUsage, partial })
})

const message = (model: string | null, input: number, output: number, more: object = {}) => ({
  type: "message",
  model,
  input_tokens: input,
  output_tokens: output,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  ...more
})

layer(ModelCatalog.layerDefault)("what upstream charges", (it) => {
  it.effect("each kind of token at its own price, writes split by their TTL", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const { costNanoUsd, rows } = bill("claude-sonnet-5-5", {
        input_tokens: 1,
        output_tokens: 10,
        cache_read_input_tokens: 100,
        cache_creation_input_tokens: 3000,
        cache_creation: { ephemeral_1h_input_tokens: 1000 }
      })
      assert.strictEqual(costNanoUsd, 2000 * 1 + 10_000 * 10 + 100 * 100 + 4000 * 1000 + 2500 * 2000)
      assert.lengthOf(rows, 1)
      assert.isFalse(rows[0].estimated)
    })
  )

  it.effect("Haiku's dearer tier above 100,000 prompt tokens, of every kind", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const usage = (input: number) => ({ input_tokens: input, cache_read_input_tokens: 90_000, output_tokens: 10 })
      assert.strictEqual(bill("claude-haiku-5-5", usage(10_000)).costNanoUsd, 100 * 10_000 + 10 * 90_000 + 500 * 10)
      assert.strictEqual(
        bill("claude-haiku-5-5", usage(10_001)).costNanoUsd,
        5 * (100 * 10_001 + 10 * 90_000 + 500 * 10)
      )
    })
  )

  it.effect("geo and speed as upstream reported them, and each web search", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const usage = { input_tokens: 1000, output_tokens: 100 }
      const plain = bill("claude-opus-5-5", usage).costNanoUsd
      assert.strictEqual(bill("claude-opus-5-5", { ...usage, speed: "fast" }).costNanoUsd, plain * 2)
      assert.strictEqual(bill("claude-opus-5-5", { ...usage, inference_geo: "us" }).costNanoUsd, (plain * 11) / 10)
      const searched = bill("claude-opus-5-5", { ...usage, server_tool_use: { web_search_requests: 3 } })
      assert.strictEqual(searched.costNanoUsd, plain + 30_000_000)
      assert.strictEqual(searched.rows[0].webSearches, 3)
    })
  )

  it.effect("an unknown model has a price, marked as a guess", () =>
    Effect.gen(function* () {
      const { costNanoUsd, rows } = (yield* billing)("claude-sonnet-99", { input_tokens: 1000 })
      assert.isAbove(costNanoUsd, 0)
      assert.isTrue(rows[0].estimated)
    })
  )
})

const tokens = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500_000 }))
const Compaction = Schema.Struct({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_read_input_tokens: tokens,
  cache_creation_input_tokens: tokens,
  cache_creation: Schema.NullOr(Schema.Struct({ ephemeral_1h_input_tokens: tokens }))
})

layer(ModelCatalog.layerDefault)("usage.iterations", (it) => {
  const sonnet = "claude-sonnet-5-5"

  it.effect("a compaction is billed on top of the top level, at the model's rates", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const compaction = { type: "compaction", input_tokens: 180_000, output_tokens: 3500 }
      const { costNanoUsd, rows } = bill(sonnet, {
        input_tokens: 23_000,
        output_tokens: 1000,
        iterations: [compaction, message(null, 23_000, 1000)]
      })
      assert.strictEqual(costNanoUsd, 2000 * 203_000 + 10_000 * 4500)
      assert.lengthOf(rows, 1)
      assert.deepInclude(rows[0].usage, { input: 203_000, output: 4500 })
    })
  )

  it.effect.prop(
    "an answer that is nothing but compactions is priced by them, each in its own tier, whatever the usage beside it says",
    [Schema.Array(Compaction).check(Schema.isMinLength(1), Schema.isMaxLength(3))],
    ([parts]) =>
      Effect.gen(function* () {
        const iterations = parts.map((part) => ({ ...part, type: "compaction" }))
        const apiUsage = { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: null, iterations }
        const catalog = yield* ModelCatalog
        const haiku = catalog.get("claude-haiku-5-5")
        for (const usage of [zero, consumed(apiUsage)]) {
          const { costNanoUsd, rows } = makePricing(catalog).bill({ model: haiku.id, usage, apiUsage })
          assert.deepStrictEqual(rows[0].usage, parts.map(fromApi).reduce(add, zero))
          assert.lengthOf(rows, 1)
          assert.strictEqual(costNanoUsd, sum(...parts.map((part) => catalog.price(haiku, fromApi(part)))))
        }
      })
  )

  it.effect("compactions beside a top level that does not add up are priced with it", () =>
    Effect.gen(function* () {
      const pricing = makePricing(yield* ModelCatalog)
      const compaction = { type: "compaction", input_tokens: 1_000, output_tokens: 10 }
      const apiUsage = { input_tokens: 500, output_tokens: 5, iterations: [compaction, message(null, 499, 5)] }
      const { costNanoUsd } = pricing.bill({ model: sonnet, usage: consumed(apiUsage), apiUsage })
      assert.strictEqual(costNanoUsd, 2000 * 1_500 + 10_000 * 15)
    })
  )

  it.effect("each fallback is billed at its own model's rates; one that declined before it spoke is free", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const served = { ...message("claude-opus-5-5", 1000, 50), type: "fallback_message" }
      const spoke = bill(sonnet, {
        input_tokens: 2000,
        output_tokens: 60,
        iterations: [message(sonnet, 1000, 10), served]
      })
      assert.deepStrictEqual(
        spoke.rows.map(({ costNanoUsd, model }) => [model, Number(costNanoUsd)]),
        [
          [sonnet, 2000 * 1000 + 10_000 * 10],
          ["claude-opus-5-5", 4000 * 1000 + 20_000 * 50]
        ]
      )
      const declined = bill(sonnet, {
        input_tokens: 1000,
        output_tokens: 50,
        iterations: [message(sonnet, 1000, 0), served]
      })
      assert.deepStrictEqual(
        declined.rows.map(({ model }) => model),
        ["claude-opus-5-5"]
      )
    })
  )

  it.effect("an advisor is billed at its own rates, whether the top level counts it or not", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const advisor = { ...message("claude-opus-5-5", 500, 20), type: "advisor_message" }
      const iterations = [message(sonnet, 1000, 10), advisor]
      const price = 2000 * 1000 + 10_000 * 10 + 4000 * 500 + 20_000 * 20
      assert.strictEqual(bill(sonnet, { input_tokens: 1000, output_tokens: 10, iterations }).costNanoUsd, price)
      assert.strictEqual(bill(sonnet, { input_tokens: 1500, output_tokens: 30, iterations }).costNanoUsd, price)
    })
  )

  it.effect("the long-prompt tier is each iteration's own", () =>
    Effect.gen(function* () {
      const iterations = [message(null, 60_000, 10), message(null, 60_000, 10)]
      const { costNanoUsd } = (yield* billing)("claude-haiku-5-5", {
        input_tokens: 120_000,
        output_tokens: 20,
        iterations
      })
      assert.strictEqual(costNanoUsd, 100 * 120_000 + 500 * 20)
    })
  )

  it.effect("what does not add up to the top level, or is partial, is priced by the top level", () =>
    Effect.gen(function* () {
      const bill = yield* billing
      const off = { input_tokens: 1000, output_tokens: 10, iterations: [message(null, 999, 10)] }
      assert.strictEqual(bill(sonnet, off).costNanoUsd, 2000 * 1000 + 10_000 * 10)
      const even = { ...off, iterations: [message("claude-opus-5-5", 1000, 10)] }
      assert.strictEqual(bill(sonnet, even).costNanoUsd, 4000 * 1000 + 20_000 * 10)
      assert.strictEqual(bill(sonnet, even, true).costNanoUsd, 2000 * 1000 + 10_000 * 10)
      for (const iterations of [null, [], "?", [1, null, {}]]) {
        assert.strictEqual(bill(sonnet, { ...off, iterations }).costNanoUsd, 2000 * 1000 + 10_000 * 10)
      }
    })
  )

  it.effect("searches are paid once, by the first model", () =>
    Effect.gen(function* () {
      const served = { ...message("claude-opus-5-5", 1000, 50), type: "fallback_message" }
      const { rows } = (yield* billing)(sonnet, {
        input_tokens: 2000,
        output_tokens: 60,
        server_tool_use: { web_search_requests: 2 },
        iterations: [message(sonnet, 1000, 10), served]
      })
      assert.deepStrictEqual(
        rows.map(({ webSearches }) => webSearches),
        [2, 0]
      )
    })
  )
})

const data = new URL("../../../shared/data/conversations/", import.meta.url)

interface LoggedCall {
  readonly file: string
  readonly model: string
  readonly costUsd: number
  readonly usage: ApiUsage & { readonly cache_creation_1h_input_tokens?: number }
}

const loggedCalls = (): ReadonlyArray<LoggedCall> => {
  if (!existsSync(data)) return []
  return readdirSync(data).flatMap((file) =>
    readFileSync(new URL(file, data), "utf8")
      .split("\n")
      .filter((line) => line.includes('"costUsd"'))
      .map((line) => ({ file, ...JSON.parse(line) }))
      .filter((call) => typeof call.costUsd === "number" && call.usage !== undefined && typeof call.model === "string")
  )
}

describe("transcripts with logged dollars", () => {
  const calls = loggedCalls()

  it.skipIf(calls.length === 0)("are reproduced to the cent, and call by call", async () => {
    const bill = await Effect.runPromise(Effect.provide(billing, ModelCatalog.layerDefault))
    const sums = new Map<string, { ours: number; logged: number }>()
    for (const { costUsd, file, model, usage } of calls) {
      const oneHour = usage.cache_creation_1h_input_tokens
      const ours = toUsd(
        bill(model, { ...usage, cache_creation: { ephemeral_1h_input_tokens: oneHour ?? 0 } }).costNanoUsd
      )
      assert.approximately(ours, costUsd, 1e-6, `${file}: ${JSON.stringify(usage)}`)
      const sum = sums.get(file) ?? { ours: 0, logged: 0 }
      sums.set(file, { ours: sum.ours + ours, logged: sum.logged + costUsd })
    }
    for (const [file, { logged, ours }] of sums) assert.strictEqual(ours.toFixed(2), logged.toFixed(2), file)
  })
})
