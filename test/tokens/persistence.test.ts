import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Database } from "../../src/chat/Database.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { EstimatorStore, EstimatorStoreError, type LearnedModel } from "../../src/tokens/EstimatorStore.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { assistant, now, prose, request, usage, user } from "./support.ts"

const overStore = (store: EstimatorStore["Service"]) =>
  TokenEstimator.layerNoDeps.pipe(
    Layer.provide(Layer.succeed(EstimatorStore, store)),
    Layer.provide(ModelCatalog.layerDefault)
  )

const probe = user(prose.repeat(20))

/** Teaches that `now` takes a third more than its weights say. */
const teach = (turns: number) =>
  TokenEstimator.use((estimator) =>
    Effect.gen(function* () {
      const messages = [user("Hello.")]
      const size = estimator.message(probe, now).tokens
      let real = 1_000
      yield* estimator.observe(request(messages), usage(real))
      for (let turn = 0; turn < turns; turn++) {
        messages.push(assistant(`${turn}`), user(`${turn} ${prose.repeat(20)}`))
        real += size * 1.33
        yield* estimator.observe(request(messages), usage(Math.round(real)))
      }
    })
  )

const probed = TokenEstimator.use((estimator) => Effect.sync(() => estimator.message(probe, now)))

const recording = (fails: { load?: boolean; save?: boolean } = {}) => {
  const saved: Array<LearnedModel> = []
  const failure = (operation: "load" | "save") => new EstimatorStoreError({ operation, reason: "the disk is full" })
  const store = EstimatorStore.of({
    load: Effect.suspend(() => (fails.load === true ? Effect.fail(failure("load")) : Effect.succeed([...saved]))),
    save: (learned) =>
      Effect.suspend(() =>
        fails.save === true ? Effect.fail(failure("save")) : Effect.sync(() => void saved.push(learned))
      )
  })
  return { saved, store, fails }
}

describe("what was learned", () => {
  it.effect("is there again after the layer was built anew", () =>
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(EstimatorStore.layerMemory), EstimatorStore)
      const untaught = yield* Effect.provide(probed, overStore(store))
      const taught = yield* Effect.provide(Effect.andThen(teach(100), probed), overStore(store))
      assert.isAbove(taught.tokens, untaught.tokens * 1.1)
      assert.deepStrictEqual(yield* Effect.provide(probed, overStore(store)), taught)
    })
  )

  it.effect("is saved after a few seconds, once, and only when something changed", () => {
    const { saved, store } = recording()
    return Effect.gen(function* () {
      yield* teach(20)
      assert.lengthOf(saved, 0)
      yield* TestClock.adjust("6 seconds")
      assert.lengthOf(saved, 1)
      yield* TestClock.adjust("60 seconds")
      assert.lengthOf(saved, 1)
      yield* teach(5)
      yield* TestClock.adjust("6 seconds")
      assert.lengthOf(saved, 2)
    }).pipe(Effect.provide(overStore(store)))
  })

  it.effect("from outside its ranges is brought back into them", () => {
    const { saved, store } = recording()
    saved.push({ model: now, calibration: { factor: 1e9, observations: 3, allowance: -5 } })
    return Effect.gen(function* () {
      const { tokens, upperBound } = yield* probed
      assert.isBelow(tokens, 3_000)
      assert.isAbove(upperBound, tokens)
    }).pipe(Effect.provide(overStore(store)))
  })
})

describe("a store that fails", () => {
  const lines: Array<string> = []
  const logged = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])

  it.effect("fails neither the start nor an estimate, and says so", () => {
    lines.length = 0
    return Effect.gen(function* () {
      yield* teach(5)
      assert.isAbove((yield* probed).tokens, 0)
      yield* TestClock.adjust("6 seconds")
      assert.isTrue(lines.some((line) => line.includes("could not load what it learned: the disk is full")))
      assert.isTrue(lines.some((line) => line.includes("could not save what it learned: the disk is full")))
    }).pipe(Effect.provide(overStore(recording({ load: true, save: true }).store)), Effect.provide(logged))
  })

  it.effect("gets what it missed when it works again", () => {
    const { fails, saved, store } = recording({ save: true })
    return Effect.gen(function* () {
      yield* teach(5)
      yield* TestClock.adjust("6 seconds")
      fails.save = false
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(
        saved.map(({ model }) => model),
        [now]
      )
    }).pipe(Effect.provide(overStore(store)), Effect.provide(logged))
  })
})

layer(Database.layerMemory, { timeout: "60 seconds" })("in the database", (it) => {
  const estimator = TokenEstimator.layer.pipe(Layer.provide(ModelCatalog.layerDefault))

  it.effect("what was learned survives, one row a model", () =>
    Effect.gen(function* () {
      const untaught = yield* Effect.provide(probed, estimator)
      const taught = yield* Effect.provide(Effect.andThen(teach(50), probed), Layer.fresh(estimator))
      yield* Effect.provide(teach(1), Layer.fresh(estimator))
      assert.isAbove(taught.tokens, untaught.tokens)
      assert.closeTo((yield* Effect.provide(probed, Layer.fresh(estimator))).tokens, taught.tokens, 5)
      const sql = yield* SqlClient.SqlClient
      const rows = yield* sql<{ readonly model: string }>`SELECT model FROM estimator_state`
      assert.deepStrictEqual(
        rows.map(({ model }) => model),
        [now]
      )
    })
  )

  it.effect("a row that cannot be understood is left out", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO estimator_state (model, state, updated_at) VALUES ('strange', 'no JSON', 0)`
      const { load } = Context.get(yield* Layer.build(EstimatorStore.layerSql), EstimatorStore)
      assert.notInclude(
        (yield* load).map(({ model }) => model),
        "strange"
      )
    })
  )

  it.effect("a table that is gone is a failure with advice, not a defect", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`DROP TABLE estimator_state`
      const { load, save } = Context.get(yield* Layer.build(EstimatorStore.layerSql), EstimatorStore)
      for (const failing of [load, save({ model: now, calibration: { factor: 1, observations: 1, allowance: 800 } })]) {
        const error = yield* Effect.flip(failing)
        assert.strictEqual(error._tag, "EstimatorStoreError")
        assert.include(error.message, "check the database")
      }
    })
  )
})
