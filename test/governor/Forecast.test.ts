import { assert, describe, it } from "vitest"
import { makeForecast, type Prefix, prefixOf } from "../../src/governor/Forecast.ts"
import { model, request } from "./world.ts"

const usage = { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 0 }
const minute = 60_000
const named = (own: string, family = `family of ${own}`): Prefix => ({ own, family })
const p = named("p")

describe("expected output", () => {
  it("begins with a prior, follows the model, and never exceeds max_tokens", () => {
    const forecast = makeForecast()
    const expect = (max_tokens: number) => forecast.expect(p, request("x", { max_tokens }), model, 100, 0)
    assert.isAbove(expect(10_000).outputBound, expect(10_000).output)
    assert.deepStrictEqual([expect(50).output, expect(50).outputBound], [50, 50])
    for (let n = 0; n < 100; n++) forecast.learn(p, model, { ...usage, output: 200 }, 0)
    assert.strictEqual(expect(10_000).output, 200)
    assert.isBelow(expect(10_000).outputBound, 210)
    for (let n = 0; n < 100; n++) forecast.learn(p, model, { ...usage, output: n % 2 === 0 ? 100 : 500 }, 0)
    assert.isAbove(expect(10_000).outputBound, 500)
  })
})

describe("expected input", () => {
  const asked = request("x")
  const cached = { ...usage, input: 100, cacheWrite5m: 9_900 }
  const read = { ...usage, input: 100, cacheRead: 9_900 }

  it("counts a prefix in full until it has been seen", () => {
    assert.deepInclude(makeForecast().expect(p, asked, model, 10_000, 0), { input: 10_000, cacheRead: 0 })
  })

  it("trusts a prefix the more, the more often it was read", () => {
    const forecast = makeForecast()
    const reads: Array<number> = []
    forecast.learn(p, model, cached, 0)
    for (let n = 1; n <= 6; n++) {
      reads.push(forecast.expect(p, asked, model, 10_000, n * minute).cacheRead)
      forecast.learn(p, model, read, n * minute)
    }
    assert.deepStrictEqual(
      reads,
      [...reads].sort((a, b) => a - b)
    )
    assert.isAbove(reads.at(-1) ?? 0, 9_500)
    assert.strictEqual(forecast.expect(named("other"), asked, model, 10_000, 0).cacheRead, 0)
  })

  it("loses trust when the prefix was not read, and forgets it with upstream", () => {
    const forecast = makeForecast()
    for (let n = 0; n < 5; n++) forecast.learn(p, model, n === 0 ? cached : read, n)
    const before = forecast.expect(p, asked, model, 10_000, 10).cacheRead
    forecast.learn(p, model, cached, 20)
    assert.isBelow(forecast.expect(p, asked, model, 10_000, 30).cacheRead, before * 0.6)
    assert.strictEqual(forecast.expect(p, asked, model, 10_000, 20 + 5 * minute).cacheRead, 0)
  })

  it("keeps what was written for an hour for an hour", () => {
    const forecast = makeForecast()
    forecast.learn(p, model, { ...usage, cacheWrite1h: 9_000 }, 0)
    assert.isAbove(forecast.expect(p, asked, model, 10_000, 50 * minute).cacheRead, 0)
    assert.strictEqual(forecast.expect(p, asked, model, 10_000, 61 * minute).cacheRead, 0)
  })

  it("never expects more to be read than is sent", () => {
    const forecast = makeForecast()
    for (let n = 0; n < 9; n++) forecast.learn(p, model, n === 0 ? cached : read, n)
    const { cacheRead, input } = forecast.expect(p, asked, model, 500, 10)
    assert.isAtMost(cacheRead, 500)
    assert.strictEqual(input + cacheRead, 500)
  })

  it("expects of a prompt without a past what others of its family were served", () => {
    const forecast = makeForecast()
    const first = { ...usage, cacheWrite5m: 5_000 }
    const sibling = { ...usage, cacheRead: 4_000, cacheWrite5m: 1_000 }
    const expected = (own: string) => forecast.expect(named(own, "f"), asked, model, 5_000, 1_000).cacheRead
    forecast.learn(named("a", "f"), model, first, 0)
    assert.strictEqual(expected("b"), 0)
    for (const own of ["b", "c", "d", "e", "g", "h"]) forecast.learn(named(own, "f"), model, sibling, 0)
    assert.isAbove(expected("new"), 3_800)
    assert.isAtMost(expected("new"), 4_000)
    for (let n = 0; n < 3; n++) forecast.learn(named(`moved ${n}`, "f"), model, first, 0)
    assert.strictEqual(expected("newer"), 0)
  })

  it("remembers the newest ten thousand prefixes", () => {
    const forecast = makeForecast()
    for (let n = 0; n < 10_001; n++) forecast.learn(named(`p${n}`, "f"), model, cached, 0)
    assert.strictEqual(forecast.expect(named("p0", "f"), asked, model, 10_000, 1).cacheRead, 0)
    assert.isAbove(forecast.expect(named("p9999", "f"), asked, model, 10_000, 1).cacheRead, 0)
  })
})

describe("prefixOf", () => {
  it("tells tenants, conversations, models and different fronts apart", () => {
    const caller = { tenant: "t", agent: "a" }
    const names = [
      prefixOf(request("x"), caller),
      prefixOf(request("x"), { ...caller, tenant: "u" }),
      prefixOf(request("x", { system: "s" }), caller),
      prefixOf(request("longer"), caller),
      prefixOf(request("x", { model: "claude-haiku-5-5" }), caller),
      prefixOf(request("x"), { ...caller, conversation: "c" })
    ]
    assert.strictEqual(new Set(names.map(({ own }) => own)).size, names.length)
    assert.strictEqual(names[0]?.family, names[3]?.family)
    assert.strictEqual(new Set(names.map(({ family }) => family)).size, 4)
  })
})
