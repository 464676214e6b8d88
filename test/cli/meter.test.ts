import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Metered, meter, usageOf } from "../../src/cli/replay/Meter.ts"
import { sharedTokens, type Unit } from "../../src/cli/replay/Policy.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

const minute = 60_000

const request = (tokens: number, shared: number, idleMillis = 0, long?: number): Metered => ({
  prompt: { tokens, shared, sharedLong: long ?? 0, long: long ?? 0, longLived: long !== undefined, compaction: false },
  raw: tokens,
  output: 100,
  idleMillis
})

const options = (model: string, prefixTokens: number) =>
  Effect.map(ModelCatalog, (catalog) => ({ catalog, model: catalog.get(model), prefixTokens }))

describe("the model of prompt caching", () => {
  it.effect("reads what is shared, writes the rest, at the model's prices", () =>
    Effect.gen(function* () {
      const sonnet = yield* options("claude-sonnet-5-5", 1_000)
      const totals = meter(request(20_000, 18_000), sonnet)
      assert.strictEqual(totals.cacheReadTokens, 19_000)
      assert.strictEqual(totals.cacheWriteTokens, 2_000)
      assert.strictEqual(totals.inputNanoUsd, 19_000 * 100 + 2_000 * 2_500)
      assert.strictEqual(totals.outputNanoUsd, 100 * 10_000)
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("a cold cache writes everything again", () =>
    Effect.gen(function* () {
      const usage = usageOf(request(20_000, 18_000, 6 * minute), yield* options("claude-sonnet-5-5", 1_000))
      assert.deepStrictEqual([usage.cacheRead, usage.cacheWrite5m], [0, 21_000])
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("what is kept for an hour survives a pause, and is written at its own price", () =>
    Effect.gen(function* () {
      const sonnet = yield* options("claude-sonnet-5-5", 1_000)
      const paused = usageOf(request(20_000, 18_000, 6 * minute, 8_000), sonnet)
      assert.deepInclude(paused, { cacheRead: 9_000, cacheWrite1h: 0, cacheWrite5m: 12_000 })
      const first = usageOf({ ...request(20_000, 0, Number.POSITIVE_INFINITY, 8_000) }, sonnet)
      assert.deepInclude(first, { cacheRead: 0, cacheWrite1h: 9_000, cacheWrite5m: 12_000 })
      assert.strictEqual(
        meter(request(20_000, 0, 61 * minute, 8_000), sonnet).inputNanoUsd,
        9_000 * 4_000 + 12_000 * 2_500
      )
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("below the model's minimum nothing is cached", () =>
    Effect.gen(function* () {
      const usage = usageOf(request(400, 300), yield* options("claude-sonnet-5-5", 0))
      assert.deepStrictEqual(usage, { input: 400, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 100 })
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("Haiku 5.5 charges its higher tier on the whole request above 100,000 tokens", () =>
    Effect.gen(function* () {
      const haiku = yield* options("claude-haiku-5-5", 0)
      const below = meter(request(100_000, 0), haiku)
      const above = meter(request(100_001, 0), haiku)
      assert.strictEqual(below.inputNanoUsd, 100_000 * 125)
      assert.strictEqual(above.inputNanoUsd, 100_001 * 625)
      assert.strictEqual(above.outputNanoUsd, 5 * below.outputNanoUsd)
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )
})

describe("what two prompts share", () => {
  const unit = (key: string, tokens: number, breakpoint: Unit["breakpoint"] = false): Unit => ({
    key,
    tokens,
    breakpoint
  })

  it("ends at the last breakpoint of the earlier one", () => {
    const before = [unit("a", 10, "1h"), unit("b", 5), unit("c", 5, "5m")]
    const shared = (...now: ReadonlyArray<Unit>) => sharedTokens(before, now)
    assert.deepStrictEqual(shared(unit("a", 10), unit("b", 5), unit("c", 5), unit("d", 9)), {
      shared: 20,
      sharedLong: 10
    })
    assert.deepStrictEqual(shared(unit("a", 10), unit("b", 5), unit("x", 5)), { shared: 10, sharedLong: 10 })
    assert.deepStrictEqual(shared(unit("x", 10)), { shared: 0, sharedLong: 0 })
  })
})
