import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Metered, meter, type Prompt, usageOf } from "../../src/cli/replay/Meter.ts"
import { missCauses } from "../../src/cli/replay/Totals.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

const minute = 60_000

const prompt = (tokens: number, more: Partial<Prompt> = {}): Prompt => ({
  tokens,
  shared: 0,
  sharedLong: 0,
  beyond: 0,
  bands: { old: 0, mid: 0 },
  long: 0,
  longLived: false,
  compaction: false,
  ...more
})

const request = (asked: Prompt, more: Partial<Metered> = {}): Metered => ({
  prompt: asked,
  raw: asked.tokens,
  output: 100,
  idleMillis: 0,
  cachedBefore: 0,
  longBefore: asked.longLived,
  ...more
})

const options = (model: string, prefixTokens: number) =>
  Effect.map(ModelCatalog, (catalog) => ({ catalog, model: catalog.get(model), prefixTokens }))

const warm = prompt(20_000, { shared: 18_000 })
const longLived = prompt(20_000, { shared: 18_000, sharedLong: 8_000, long: 8_000, longLived: true })

describe("the model of prompt caching", () => {
  it.effect("reads what is shared, writes the rest, at the model's prices", () =>
    Effect.gen(function* () {
      const { totals } = meter(request(warm), yield* options("claude-sonnet-5-5", 1_000))
      assert.strictEqual(totals.cacheReadTokens, 19_000)
      assert.strictEqual(totals.cacheWriteTokens, 2_000)
      assert.strictEqual(totals.inputNanoUsd, 19_000 * 100 + 2_000 * 2_500)
      assert.strictEqual(totals.outputNanoUsd, 100 * 10_000)
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("a cold cache writes everything again", () =>
    Effect.gen(function* () {
      const usage = usageOf(request(warm, { idleMillis: 6 * minute }), yield* options("claude-sonnet-5-5", 1_000))
      assert.deepStrictEqual([usage.cacheRead, usage.cacheWrite5m], [0, 21_000])
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("what is kept for an hour survives a pause, and is written at its own price", () =>
    Effect.gen(function* () {
      const sonnet = yield* options("claude-sonnet-5-5", 1_000)
      const paused = usageOf(request(longLived, { idleMillis: 6 * minute }), sonnet)
      assert.deepInclude(paused, { cacheRead: 9_000, cacheWrite1h: 0, cacheWrite5m: 12_000 })
      const first = usageOf(request(longLived, { idleMillis: Number.POSITIVE_INFINITY }), sonnet)
      assert.deepInclude(first, { cacheRead: 0, cacheWrite1h: 9_000, cacheWrite5m: 12_000 })
      const late = meter(request(longLived, { idleMillis: 61 * minute }), sonnet)
      assert.strictEqual(late.totals.inputNanoUsd, 9_000 * 4_000 + 12_000 * 2_500)
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect(
    "the prefix that was left for five minutes is gone after a pause, though it is kept for an hour from then on",
    () =>
      Effect.gen(function* () {
        const turned = request(longLived, { idleMillis: 6 * minute, longBefore: false })
        const usage = usageOf(turned, yield* options("claude-sonnet-5-5", 1_000))
        assert.deepInclude(usage, { cacheRead: 0, cacheWrite1h: 9_000, cacheWrite5m: 12_000 })
      }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("below the model's minimum nothing is cached", () =>
    Effect.gen(function* () {
      const usage = usageOf(request(prompt(400, { shared: 300 })), yield* options("claude-sonnet-5-5", 0))
      assert.deepStrictEqual(usage, { input: 400, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 100 })
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("Haiku 5.5 charges its higher tier on the whole request above 100,000 tokens", () =>
    Effect.gen(function* () {
      const haiku = yield* options("claude-haiku-5-5", 0)
      const below = meter(request(prompt(100_000)), haiku).totals
      const above = meter(request(prompt(100_001)), haiku).totals
      assert.strictEqual(below.inputNanoUsd, 100_000 * 125)
      assert.strictEqual(above.inputNanoUsd, 100_001 * 625)
      assert.strictEqual(above.outputNanoUsd, 5 * below.outputNanoUsd)
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )
})

describe("cache misses", () => {
  const missed = (asked: Prompt, more: Partial<Metered> = {}) =>
    Effect.map(options("claude-sonnet-5-5", 1_000), (sonnet) =>
      meter(request(asked, { cachedBefore: 19_000, ...more }), sonnet)
    ).pipe(Effect.provide(ModelCatalog.layerDefault))

  it.effect("a prompt that reads what the last one left misses nothing, and the first one neither", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* missed(warm)).miss)
      const first = yield* missed(prompt(20_000), { cachedBefore: 0, idleMillis: Number.POSITIVE_INFINITY })
      assert.isUndefined(first.miss)
      assert.strictEqual(first.totals.cacheMisses, 0)
    })
  )

  it.effect("reading nine tenths of it is a hit, less is a miss", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* missed(prompt(20_000, { shared: 16_100, beyond: 16_100 }))).miss)
      assert.strictEqual((yield* missed(prompt(20_000, { shared: 16_099, beyond: 16_099 }))).miss, "moved")
    })
  )

  it.effect("each has one cause: the pause before the compaction, the compaction before the rest", () =>
    Effect.gen(function* () {
      const compacted = prompt(6_000, { shared: 3_000, beyond: 3_000, compaction: true })
      const cases = {
        cold: yield* missed(compacted, { idleMillis: 6 * minute }),
        compaction: yield* missed(compacted),
        lookback: yield* missed(prompt(20_000, { shared: 3_000, beyond: 18_000 })),
        moved: yield* missed(prompt(20_000, { shared: 0, beyond: 0 }))
      }
      for (const cause of missCauses) {
        assert.strictEqual(cases[cause].miss, cause)
        assert.deepInclude(cases[cause].totals, { cacheMisses: 1 })
        assert.deepInclude(cases[cause].totals.cacheMissesByCause, { [cause]: 1 })
      }
    })
  )

  it.effect("a pause that an hour's entries bridge is no miss when they hold nearly all", () =>
    Effect.gen(function* () {
      const bridged = prompt(20_000, { shared: 18_000, sharedLong: 17_000, long: 17_000, longLived: true })
      assert.isUndefined((yield* missed(bridged, { idleMillis: 6 * minute })).miss)
      assert.strictEqual((yield* missed(bridged, { idleMillis: 61 * minute })).miss, "cold")
    })
  )
})
