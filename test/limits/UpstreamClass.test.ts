import { assert, describe, it } from "@effect/vitest"
import { modelClass } from "../../src/limits/ModelClass.ts"
import { headroom } from "../../src/limits/RateHeaders.ts"
import { UpstreamClass } from "../../src/limits/UpstreamClass.ts"
import { between, random } from "./support.ts"

const load = (input: number, output = 0) => ({ input, output })
const ok = (remaining: number, limit = 60_000) => ({
  status: 200,
  epochMillis: 0,
  headers: {
    "anthropic-ratelimit-input-tokens-limit": String(limit),
    "anthropic-ratelimit-input-tokens-remaining": String(remaining)
  }
})
const refused = (headers: Record<string, string> = {}, kind?: "rate" | "ramp" | "spend") => ({
  status: 429,
  epochMillis: 0,
  headers,
  ...(kind === undefined ? {} : { kind })
})

describe("model classes", () => {
  it.each([
    ["claude-fable-5-2", "fable"],
    ["claude-fable-5", "fable"],
    ["claude-mythos-5-1", "mythos"],
    ["claude-opus-4-8", "opus-4"],
    ["claude-opus-4-5-20251101", "opus-4"],
    ["claude-opus-5", "opus-5"],
    ["claude-opus-5-5", "opus-5-5"],
    ["claude-sonnet-4-6", "sonnet-4"],
    ["claude-sonnet-4-20250514", "sonnet-4"],
    ["claude-sonnet-5-5", "sonnet-5-5"],
    ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "sonnet-4"],
    ["claude-sonnet-5-5[1m]", "sonnet-5-5"],
    ["claude-haiku-4-5@20251001", "haiku-4-5"],
    ["claude-3-5-haiku-latest", "haiku-3-5"],
    ["gpt-9", "other"]
  ])("%s shares the pool %s", (id, pool) => {
    assert.strictEqual(modelClass(id), pool)
  })
})

describe("headers", () => {
  it("are read when they hold numbers, and ignored otherwise", () => {
    const name = "anthropic-ratelimit-output-tokens"
    assert.deepStrictEqual(headroom({ [`${name}-limit`]: "8000", [`${name}-remaining`]: "0" }, "output"), {
      limit: 8000,
      remaining: 0
    })
    for (const bad of ["", "many", "-1", "1e3", "NaN"]) {
      assert.isUndefined(headroom({ [`${name}-limit`]: "8000", [`${name}-remaining`]: bad }, "output"))
      assert.isUndefined(headroom({ [`${name}-limit`]: bad, [`${name}-remaining`]: "8" }, "output"))
    }
    assert.isUndefined(headroom({ [`${name}-limit`]: "0", [`${name}-remaining`]: "0" }, "output"))
  })
})

describe("an upstream pool", () => {
  it("limits nothing until upstream has spoken", () => {
    const pool = new UpstreamClass(400_000)
    pool.admit(0, load(1_000_000))
    assert.strictEqual(pool.readyAt(0, load(1_000_000)), 0)
    assert.isUndefined(pool.inputLimit)
  })

  it("follows upstream's bucket between answers, with a margin for its rounding", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, ok(10_500))
    assert.strictEqual(pool.inputRemaining(0), 10_000)
    pool.admit(0, load(8_000))
    assert.strictEqual(pool.readyAt(0, load(2_000)), 0)
    assert.strictEqual(pool.readyAt(0, load(5_000)), 3_000)
    assert.strictEqual(pool.inputRemaining(10_000), 12_000)
  })

  it("counts what may not have reached upstream when it answered", () => {
    const pool = new UpstreamClass(400_000)
    pool.admit(1_000, load(20_000))
    pool.observe(1_500, ok(30_500))
    assert.strictEqual(pool.inputRemaining(1_500), 10_000)
    pool.observe(3_000, ok(30_500))
    assert.strictEqual(pool.inputRemaining(3_000), 30_000)
  })

  it("never admits what upstream's limit cannot hold, and cuts an expected output to it", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, ok(60_000))
    assert.strictEqual(pool.readyAt(0, load(60_001)), Number.POSITIVE_INFINITY)
    pool.observe(0, {
      status: 200,
      epochMillis: 0,
      headers: {
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "8000"
      }
    })
    assert.isAtMost(pool.readyAt(0, load(1, 64_000)), 5_000)
  })

  it("takes back what an admission turned out not to need, unless upstream has counted since", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, ok(20_500))
    pool.admit(1, load(15_000))
    pool.correct(2, 1, load(-10_000))
    assert.approximately(pool.inputRemaining(2) ?? 0, 15_000, 10)
    pool.observe(3_000, ok(30_500))
    pool.correct(3_000, 1, load(-5_000))
    assert.strictEqual(pool.inputRemaining(3_000), 30_000)
  })

  it("pauses as long as it is told, and doubles the pause when it is not told", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, refused({ "retry-after": "12" }, "ramp"))
    assert.strictEqual(pool.readyAt(0, load(1)), 12_000)
    const untold = new UpstreamClass(400_000)
    untold.observe(0, refused())
    untold.observe(10, refused())
    assert.strictEqual(untold.pausedUntil, 1_010)
    untold.observe(2_000, refused())
    assert.strictEqual(untold.pausedUntil, 4_000)
    untold.observe(5_000, { status: 200, headers: {}, epochMillis: 0 })
    untold.observe(6_000, refused())
    assert.strictEqual(untold.pausedUntil, 7_000)
  })

  it("ramps up again after a pause", () => {
    const pool = new UpstreamClass(60_000)
    pool.observe(0, refused({ "retry-after": "10" }))
    let now = 10_000
    const gaps: Array<number> = []
    for (let n = 0; n < 60; n++) {
      const ready = pool.readyAt(now, load(1_000))
      gaps.push(ready - now)
      now = ready
      pool.admit(now, load(1_000))
    }
    assert.isAtLeast(gaps[1] ?? 0, 3_000)
    assert.strictEqual(gaps.at(-1), 0)
    assert.isAtMost(now, 45_000)
  })

  it("does not pause for a spent budget, and treats 529 as load, not as a limit", () => {
    const pool = new UpstreamClass(400_000)
    pool.observe(0, refused({}, "spend"))
    assert.strictEqual(pool.readyAt(0, load(1_000)), 0)
    pool.observe(0, { status: 529, headers: {}, epochMillis: 0 })
    assert.strictEqual(pool.readyAt(0, load(1_000)), 0)
    pool.admit(0, load(10_000))
    assert.isAbove(pool.readyAt(0, load(1_000)), 0)
    pool.observe(0, { status: 529, headers: { "retry-after": "3" }, epochMillis: 0 })
    assert.isAtLeast(pool.readyAt(0, load(1)), 3_000)
  })

  it("keeps clear of a token bucket that others use too, so that upstream never has to refuse", () => {
    const next = random(2)
    const pool = new UpstreamClass(1_000_000)
    const upstream = { limit: 60_000, level: 60_000, at: 0 }
    const levelAt = (now: number) =>
      Math.min(upstream.limit, upstream.level + ((now - upstream.at) * upstream.limit) / 60_000)
    const takeAt = (now: number, tokens: number) => {
      upstream.level = levelAt(now) - tokens
      upstream.at = now
    }
    let [now, refusals, sent] = [0, 0, 0]
    pool.observe(0, ok(60_000))
    while (now < 600_000) {
      // Another program takes a third of the pool, in small pieces.
      takeAt(now, Math.min(levelAt(now), between(next, 0, 700)))
      const request = load(between(next, 100, 3_000))
      if (pool.readyAt(now, request) <= now) {
        pool.admit(now, request)
        if (levelAt(now) < request.input) refusals += 1
        else {
          takeAt(now, request.input)
          sent += request.input
        }
        pool.observe(now + 50, ok(Math.round(levelAt(now) / 1_000) * 1_000))
      }
      now += 1_000
    }
    assert.strictEqual(refusals, 0)
    assert.isAbove(sent, 300_000)
  })
})
