import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { format, fromUsd, NanoUsd, nanoUsd, sum, toUsd, zero } from "../../src/domain/Money.ts"

const Amount = Schema.Int.check(Schema.isBetween({ minimum: -4e15, maximum: 4e15 }))

describe("Money", () => {
  it("refuses anything but a safe integer", () => {
    for (const n of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      assert.throws(() => nanoUsd(n), RangeError)
      assert.throws(() => Schema.decodeUnknownSync(NanoUsd)(n))
    }
    assert.strictEqual(nanoUsd(-1), -1)
  })

  it("a sum that is no longer exact is refused, not rounded", () => {
    const most = nanoUsd(Number.MAX_SAFE_INTEGER)
    assert.strictEqual(sum(most), most)
    assert.throws(() => sum(most, nanoUsd(1)), RangeError)
    assert.strictEqual(sum(), zero)
  })

  it("converts from and to dollars", () => {
    assert.strictEqual(fromUsd(10), 10_000_000_000)
    assert.strictEqual(fromUsd(0.1), 100_000_000)
    assert.strictEqual(fromUsd(0.009189), 9_189_000)
    assert.strictEqual(toUsd(nanoUsd(30_330_200_000)), 30.3302)
  })

  it("is shown with two to nine decimals", () => {
    const shown: ReadonlyArray<readonly [number, string]> = [
      [0, "$0.00"],
      [1, "$0.000000001"],
      [10, "$0.00000001"],
      [1_500_000_000, "$1.50"],
      [12_345_678_000, "$12.345678"],
      [-250_000_000, "-$0.25"],
      [1_000_000_000_000, "$1000.00"]
    ]
    for (const [n, text] of shown) assert.strictEqual(format(nanoUsd(n)), text)
  })

  it.prop("shows every nano-dollar", [Amount], ([n]) => {
    const digits = format(nanoUsd(n)).replace("$", "")
    const [whole = "", decimals = ""] = digits.replace("-", "").split(".")
    assert.strictEqual(BigInt(whole + decimals.padEnd(9, "0")), BigInt(Math.abs(n)))
    assert.strictEqual(digits.startsWith("-"), n < 0)
    assert.isAtLeast(decimals.length, 2)
  })
})
