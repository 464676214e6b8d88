import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { boundOf, type Calibration, learn, uncalibrated } from "../../src/tokens/calibration.ts"
import { assistant, now, old, prose, request, usage, user, withEstimator } from "./support.ts"

const taught = (times: number, ratio: number, from: Calibration = uncalibrated): Calibration => {
  let calibration = from
  for (let i = 0; i < times; i++) calibration = learn(calibration, { estimated: 1_000, actual: 1_000 * ratio })
  return calibration
}

describe("the factor of a model", () => {
  it("comes near what is observed again and again", () => {
    assert.closeTo(taught(1_000, 1.2).factor, 1.2, 0.02)
    assert.closeTo(taught(1_000, 0.85).factor, 0.85, 0.02)
  })

  it("is moved little by a single observation", () => {
    assert.closeTo(taught(1, 1.9).factor, 1, 0.01)
    assert.closeTo(taught(1, 1.9, taught(100, 1)).factor, 1, 0.002)
  })

  it("does not follow outliers: content that clients add unseen", () => {
    let calibration = uncalibrated
    for (let i = 0; i < 500; i++) {
      calibration = learn(calibration, { estimated: 1_000, actual: i % 6 === 0 ? 9_000 : 1_020 })
    }
    assert.closeTo(calibration.factor, 1.02, 0.01)
  })

  it("stays in its range, whatever is observed", () => {
    const high = taught(10_000, 1.9)
    const low = taught(10_000, 0.55)
    assert.isAtMost(high.factor, 1.5)
    assert.isAtLeast(low.factor, 2 / 3)
    assert.isAtMost(taught(100, 50).allowance, 4_000)
    assert.isAtLeast(taught(10_000, 1).allowance, 200)
  })

  it("is not taught by nonsense", () => {
    for (const actual of [0, -5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.strictEqual(learn(uncalibrated, { estimated: 500, actual }), uncalibrated)
    }
    for (const estimated of [0, -1, Number.NaN]) {
      assert.strictEqual(learn(uncalibrated, { estimated, actual: 500 }), uncalibrated)
    }
  })

  it.prop(
    "any sequence leaves it in its ranges",
    [Schema.Array(Schema.Tuple([Schema.Number, Schema.Number]))],
    ([observations]) => {
      let calibration = uncalibrated
      for (const [estimated, actual] of observations) calibration = learn(calibration, { estimated, actual })
      assert.isTrue(calibration.factor >= 2 / 3 && calibration.factor <= 1.5)
      assert.isTrue(calibration.allowance >= 200 && calibration.allowance <= 4_000)
    }
  )
})

describe("the bound", () => {
  it("is exceeded by at most one step in a hundred, whatever the client adds", () => {
    for (const [added, every] of [
      [300, 5],
      [2_500, 40]
    ] as const) {
      let calibration = uncalibrated
      let exceeded = 0
      for (let i = 0; i < 4_000; i++) {
        const observation = { estimated: 400, actual: 400 + (i % every === 0 ? added : 0) }
        if (observation.actual > boundOf(400 * calibration.factor, calibration)) exceeded++
        calibration = learn(calibration, observation)
      }
      assert.isAtMost(exceeded, 40)
    }
  })

  it("gets tighter where nothing is added", () => {
    assert.isBelow(boundOf(400, taught(1_000, 1)), boundOf(400, uncalibrated) - 400)
  })

  it.prop("grows with the estimate", [Schema.Natural, Schema.Natural], ([a, b]) => {
    assert.isAtLeast(boundOf(a + b, uncalibrated), boundOf(a, uncalibrated))
    assert.isAtLeast(boundOf(a, uncalibrated), a)
  })
})

describe("through the service", () => {
  /** A conversation that grows by a turn each time, for which upstream counts `ratio` times what was estimated. */
  const converse = (model: string, turns: number, ratio: number) =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        const untaught = estimator.message(user(prose), now).tokens
        const messages = [user(prose.repeat(10))]
        let real = 30_000
        yield* estimator.observe(request(messages, { model }), usage(real))
        const prior = estimator.message(user(prose.repeat(9)), model).tokens
        for (let turn = 0; turn < turns; turn++) {
          messages.push(assistant(`Answer ${turn}.`), user(`${turn} ${prose.repeat(9)}`))
          real += prior * ratio
          yield* estimator.observe(request(messages, { model }), usage(Math.round(real)))
        }
        return { prior, untaught, estimator }
      })
    )

  it.effect("a model's own usage teaches that model, and no other", () =>
    Effect.gen(function* () {
      const { estimator, prior, untaught } = yield* converse(old, 700, 1.15)
      assert.closeTo(estimator.message(user(prose.repeat(9)), old).tokens / prior, 1.14, 0.03)
      assert.strictEqual(estimator.message(user(prose), now).tokens, untaught)
    })
  )

  it.effect("absurd usage changes no estimate of another prompt", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        const other = () => estimator.estimate(request([user(prose.repeat(50))]))
        const before = other()
        const messages = [user(prose), assistant("Yes."), user(prose)]
        for (const tokens of [0, -1, Number.NaN, 1, 1e12, 100 * before.tokens]) {
          yield* estimator.observe(request(messages), usage(tokens))
        }
        assert.deepStrictEqual(other(), before)
      })
    )
  )
})
