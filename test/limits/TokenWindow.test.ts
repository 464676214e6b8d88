import { assert, describe, it } from "@effect/vitest"
import { TokenWindow } from "../../src/limits/TokenWindow.ts"
import { between, minute, random } from "./support.ts"

describe("TokenWindow", () => {
  it("counts an admission for 60 seconds, not a millisecond longer", () => {
    const window = new TokenWindow(100)
    window.add(1_000, 60)
    assert.strictEqual(window.used(60_999), 60)
    assert.strictEqual(window.used(61_000), 0)
  })

  it("says exactly when tokens will fit", () => {
    const window = new TokenWindow(100)
    window.add(0, 60)
    window.add(5_000, 30)
    assert.strictEqual(window.readyAt(6_000, 10), 6_000)
    assert.strictEqual(window.readyAt(6_000, 11), 60_000)
    assert.strictEqual(window.readyAt(6_000, 71), 65_000)
    assert.strictEqual(window.readyAt(6_000, 101), Number.POSITIVE_INFINITY)
    assert.strictEqual(window.resetsAt(6_000), 60_000)
    assert.strictEqual(window.resetsAt(70_000), 70_000)
  })

  it("corrects an admission in place, until it has left", () => {
    const window = new TokenWindow(100)
    const mark = window.add(0, 60)
    window.add(10_000, 20)
    assert.isTrue(window.correct(20_000, mark, -50))
    assert.strictEqual(window.used(20_000), 30)
    assert.strictEqual(window.used(60_000), 20)
    assert.isFalse(window.correct(60_000, mark, 40))
    assert.strictEqual(window.used(60_000), 20)
  })

  it("never counts less than an exact log, and little more, in bounded memory", () => {
    for (const seed of [1, 2, 3]) {
      const next = random(seed)
      const window = new TokenWindow(Number.POSITIVE_INFINITY)
      let log: Array<{ readonly at: number; readonly tokens: number }> = []
      let now = 0
      for (let n = 0; n < 5_000; n++) {
        now += next() < 0.01 ? between(next, 0, 90_000) : between(next, 0, 20) / 4
        const tokens = between(next, 0, 1_000)
        window.add(now, tokens)
        log.push({ at: now, tokens })
        log = log.filter(({ at }) => at > now - minute - 200)
        const exact = log.filter(({ at }) => at > now - minute).reduce((sum, one) => sum + one.tokens, 0)
        const late = log.reduce((sum, one) => sum + one.tokens, 0)
        assert.isAtLeast(window.used(now), exact)
        assert.isAtMost(window.used(now), late)
      }
      assert.strictEqual(window.used(now + minute), 0)
    }
  })
})
