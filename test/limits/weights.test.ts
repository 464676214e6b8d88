import { assert, describe, it } from "@effect/vitest"
import { simulate } from "./support.ts"

/** A look-up as one writes it, which finds `constructor` in every object. */
const looked = (tenant: string): number => ({ a: 3, b: 0, c: -1, d: Number.NaN })[tenant as "a"] ?? 1

describe("weights that are none", () => {
  it("count as 1: everybody is served, and the order has a first", () => {
    const tenants = ["a", "b", "c", "d", "constructor", "__proto__", "toString"]
    const arrivals = Array.from({ length: 210 }, (_, i) => ({
      at: i,
      tokens: 5_000,
      tenant: tenants[i % tenants.length] ?? "a"
    }))
    const { admission, log } = simulate(arrivals, 1e9, { weight: looked })
    assert.deepStrictEqual([log.length, admission.backlog.waiting], [210, 0])
    const early = log.slice(0, 105)
    for (const tenant of tenants) {
      assert.isAtLeast(early.filter(({ arrival }) => arrival.tenant === tenant).length, 8, tenant)
    }
  })
})
