import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { add, consumed, fromApi, limitedInput, promptTokens, Usage, zero } from "../../src/domain/Usage.ts"

describe("Usage.fromApi", () => {
  it("takes the one-hour part out of the writes; the rest is five minutes", () => {
    const usage = fromApi({
      input_tokens: 1,
      cache_creation_input_tokens: 100,
      cache_read_input_tokens: 7,
      output_tokens: 5,
      cache_creation: { ephemeral_5m_input_tokens: 60, ephemeral_1h_input_tokens: 40 }
    })
    assert.deepStrictEqual(usage, { input: 1, cacheWrite5m: 60, cacheWrite1h: 40, cacheRead: 7, output: 5 })
  })

  it("counts growth that the split does not know yet as five minutes", () => {
    const usage = fromApi({ cache_creation_input_tokens: 130, cache_creation: { ephemeral_1h_input_tokens: 40 } })
    assert.strictEqual(usage.cacheWrite5m, 90)
    assert.strictEqual(usage.cacheWrite1h, 40)
  })

  it("missing and null counts are zero", () => {
    assert.deepStrictEqual(fromApi({}), zero)
    assert.deepStrictEqual(
      fromApi({
        input_tokens: null,
        output_tokens: null,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: null,
        cache_creation: null
      }),
      zero
    )
  })

  it("what is no count is zero, and no count is beyond all measure: one would spoil every sum it is added to", () => {
    for (const odd of ["12", "x", -5, Number.NaN, {}, [], true]) {
      const written = JSON.parse(JSON.stringify({ u: odd })).u as never
      const usage = fromApi({
        input_tokens: written,
        output_tokens: written,
        cache_creation_input_tokens: written,
        cache_read_input_tokens: written,
        cache_creation: { ephemeral_1h_input_tokens: written, ephemeral_5m_input_tokens: written }
      })
      assert.deepStrictEqual(usage, zero)
    }
    assert.deepStrictEqual(fromApi({ cache_creation: "x" as never }), zero)
    assert.deepStrictEqual(fromApi({ input_tokens: 1.6, output_tokens: 1e18 }), { ...zero, input: 2, output: 1e9 })
  })

  it("is never negative when the split exceeds the sum", () => {
    const usage = fromApi({ cache_creation_input_tokens: 10, cache_creation: { ephemeral_1h_input_tokens: 40 } })
    assert.deepStrictEqual([usage.cacheWrite5m, usage.cacheWrite1h], [0, 10])
  })

  it("reads the split when the sum is missing", () => {
    const usage = fromApi({ cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 } })
    assert.deepStrictEqual([usage.cacheWrite5m, usage.cacheWrite1h], [3, 4])
  })

  it.prop("loses no token", [Usage], ([u]) => {
    const usage = fromApi({
      input_tokens: u.input,
      output_tokens: u.output,
      cache_read_input_tokens: u.cacheRead,
      cache_creation_input_tokens: u.cacheWrite5m + u.cacheWrite1h,
      cache_creation: { ephemeral_5m_input_tokens: u.cacheWrite5m, ephemeral_1h_input_tokens: u.cacheWrite1h }
    })
    assert.strictEqual(promptTokens(usage), promptTokens(u))
    assert.strictEqual(limitedInput(usage), promptTokens(u) - u.cacheRead)
  })
})

describe("Usage", () => {
  const one = { input: 1, cacheWrite5m: 20, cacheWrite1h: 300, cacheRead: 4_000, output: 50_000 }

  it("adds kind by kind, zero being neutral", () => {
    assert.deepStrictEqual(add(one, zero), one)
    assert.deepStrictEqual(add(one, one), {
      input: 2,
      cacheWrite5m: 40,
      cacheWrite1h: 600,
      cacheRead: 8_000,
      output: 100_000
    })
  })

  it("the prompt is everything but output; the limit does not count reads", () => {
    assert.strictEqual(promptTokens(one), 4_321)
    assert.strictEqual(limitedInput(one), 321)
  })

  it("the schema refuses what is no count", () => {
    for (const input of [-1, 0.5, Number.NaN, "1", null]) {
      assert.throws(() => Schema.decodeUnknownSync(Usage)({ ...zero, input }))
    }
  })
})

describe("Usage.consumed", () => {
  const compaction = {
    type: "compaction",
    input_tokens: 10,
    cache_read_input_tokens: 1_000,
    cache_creation_input_tokens: 20,
    cache_creation: { ephemeral_1h_input_tokens: 5 },
    output_tokens: 30
  }
  const spent = { input: 10, cacheWrite5m: 15, cacheWrite1h: 5, cacheRead: 1_000, output: 30 }

  it("adds compactions, which the top level leaves out, and no other iteration", () => {
    assert.deepStrictEqual(consumed({ input_tokens: 0, output_tokens: 0, iterations: [compaction] }), spent)
    const message = { type: "message", input_tokens: 7, output_tokens: 2 }
    const both = { input_tokens: 7, output_tokens: 2, iterations: [compaction, message] }
    assert.deepStrictEqual(consumed(both), add(spent, { ...zero, input: 7, output: 2 }))
  })

  it("is the top level where there are no iterations, or none that can be read", () => {
    for (const iterations of [undefined, null, "?", [], [null, 1, {}, "compaction"]]) {
      assert.deepStrictEqual(consumed({ input_tokens: 7, iterations }), { ...zero, input: 7 })
    }
  })
})
