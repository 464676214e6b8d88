import { assert, describe, it } from "@effect/vitest"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Series, stepMillis, steps } from "../../src/observability/Series.ts"
import { request } from "./support.ts"

const noon = 1_795_262_400_000
const limiter = { queued: 3, oldestMillis: 900, inFlight: 2, used: 5_000, limit: 400_000 }

describe("Series", () => {
  it("adds up what happened in ten seconds: hits save, misses cost", () => {
    const series = new Series(noon)
    series.feed(request({ cache: "miss" }), noon + 1)
    series.feed(request({ cache: "hit", savedNanoUsd: nanoUsd(9), costNanoUsd: nanoUsd(0) }), noon + 9_999)
    series.feed(request({ cache: "bypass", status: "error" }), noon + 5_000)
    series.feed(request({ status: "rejected" }), noon + 10_001)
    series.feed(request(), noon + 10_000)
    const [first, second] = series.points(noon + 10_000)
    assert.deepInclude(first, {
      at: noon,
      requests: 3,
      errors: 1,
      lookups: 2,
      hits: 1,
      saved: nanoUsd(9),
      cost: nanoUsd(1_500_000)
    })
    assert.deepInclude(first, { raw: 1_200, sent: 300, largestPrompt: 150 })
    assert.deepInclude(second, { at: noon + 10_000, requests: 2, errors: 0 })
  })

  it("keeps the most of the limiter's figures", () => {
    const series = new Series(noon)
    series.sample(limiter, noon)
    series.sample({ ...limiter, queued: 1, oldestMillis: 2_000 }, noon + 5_000)
    assert.deepInclude(series.points(noon)[0], { queued: 3, oldestMillis: 2_000, inFlight: 2, used: 5_000 })
  })

  it("is an hour long at most, without holes, and forgets", () => {
    const series = new Series(noon)
    for (let n = 0; n < 3 * steps; n += 7) series.feed(request(), noon + n * stepMillis)
    const now = noon + 3 * steps * stepMillis
    const points = series.points(now)
    assert.strictEqual(points.length, steps)
    for (const [n, { at }] of points.entries()) assert.strictEqual(at, now - (steps - 1 - n) * stepMillis)
    const requests = points.reduce((sum, point) => sum + point.requests, 0)
    assert.approximately(requests, steps / 7, 1)
  })

  it("after an hour of silence there are only zeros", () => {
    const series = new Series(noon)
    series.feed(request(), noon)
    const points = series.points(noon + 2 * steps * stepMillis)
    assert.isTrue(points.every(({ requests }) => requests === 0))
  })

  it("an event that comes an hour late does not bring the past back", () => {
    const series = new Series(noon)
    const now = noon + 2 * steps * stepMillis
    series.feed(request(), now)
    series.feed(request(), now - steps * stepMillis)
    assert.deepInclude(series.points(now).at(-1), { at: now, requests: 2 })
  })
})
