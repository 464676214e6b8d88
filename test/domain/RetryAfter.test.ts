import { assert, describe, it } from "@effect/vitest"
import { refusal } from "../../src/claude/Refusal.ts"
import { retryAfterMillis } from "../../src/domain/RetryAfter.ts"
import { UpstreamClass } from "../../src/limits/UpstreamClass.ts"

const month = 31 * 86_400_000

describe("retry-after", () => {
  it("is read as seconds, milliseconds or a date", () => {
    const at = Date.parse("2026-11-20T12:00:00Z")
    const cases = [
      [{ "retry-after": "2" }, 2_000],
      [{ "retry-after": " 7 " }, 7_000],
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": "0.25" }, 250],
      [{ "retry-after-ms": "1500.2", "retry-after": "9" }, 1_501],
      [{ "retry-after-ms": "soon", "retry-after": "9" }, 9_000],
      [{ "retry-after": "Fri, 20 Nov 2026 12:00:07 GMT" }, 7_000],
      [{ "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT" }, 0],
      [{ "retry-after": "2026-11-20T12:00:07Z" }, 7_000],
      [{}, undefined]
    ] as const
    for (const [headers, millis] of cases) {
      assert.strictEqual(retryAfterMillis(headers, at), millis, JSON.stringify(headers))
    }
  })

  it("is none where it makes no sense", () => {
    for (const text of ["soon", "", "-5", "-0.5", "+5", "5, 10", "1e3", "1.2.3", ".", "NaN", "Infinity"]) {
      assert.isUndefined(retryAfterMillis({ "retry-after": text }, 0), text)
      assert.isUndefined(retryAfterMillis({ "retry-after-ms": text }, 0), text)
    }
  })

  it("is 31 days at most, whatever upstream writes", () => {
    for (const text of ["99999999999", "9".repeat(30), "9".repeat(400), "Sat, 21 Nov 9999 00:00:10 GMT"]) {
      assert.strictEqual(retryAfterMillis({ "retry-after": text }, 0), month, text)
    }
    const headers = { "retry-after": "9".repeat(30) }
    const { reason } = refusal({ status: 429, headers, body: null }, 0)
    assert.strictEqual(reason._tag === "RateLimited" && reason.retryAfterMillis, month)
  })

  it("that makes no sense leaves a refused model its own pause", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, { status: 429, headers: { "retry-after": "-5" }, epochMillis: Date.UTC(2026, 10, 20) })
    assert.strictEqual(pool.pausedUntil, 1_000)
  })
})
