import { Clock, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Calibration } from "./calibration.ts"

/** What was learned cannot be read or written. Estimates go on; nothing is lost but the memory of the last minutes. */
export class EstimatorStoreError extends Schema.TaggedError<EstimatorStoreError>()("EstimatorStoreError", {
  operation: Schema.Literals(["load", "save"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `The token estimator could not ${this.operation} what it learned: ${this.reason}. Estimates continue; check the database.`
  }
}

export interface LearnedModel {
  readonly model: string
  readonly calibration: Calibration
}

const State = Schema.fromJsonString(Calibration)

const failing =
  (operation: EstimatorStoreError["operation"]) =>
  <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E>): Effect.Effect<A, EstimatorStoreError> =>
    effect.pipe(
      // A connection that is lost inside a statement dies in the client.
      Effect.catchDefect((defect) => Effect.fail({ message: String(defect) })),
      Effect.mapError(({ message }) => new EstimatorStoreError({ operation, reason: message }))
    )

/** Keeps what the estimator learned, by model. */
export class EstimatorStore extends Context.Service<
  EstimatorStore,
  {
    /** Everything that is stored; rows that cannot be understood are left out. */
    readonly load: Effect.Effect<ReadonlyArray<LearnedModel>, EstimatorStoreError>
    readonly save: (learned: LearnedModel) => Effect.Effect<void, EstimatorStoreError>
  }
>()("sluice/tokens/EstimatorStore") {
  /** In this process; gone with the layer. */
  static readonly layerMemory: Layer.Layer<EstimatorStore> = Layer.sync(this, () => {
    const learned = new Map<string, Calibration>()
    return {
      load: Effect.sync(() => Array.from(learned, ([model, calibration]) => ({ model, calibration }))),
      save: ({ model, calibration }) => Effect.sync(() => void learned.set(model, calibration))
    }
  })

  /** Table `estimator_state` of the database. */
  static readonly layerSql: Layer.Layer<EstimatorStore, never, SqlClient.SqlClient> = Layer.effect(
    this,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const save = Effect.fn("EstimatorStore.save")(function* ({ model, calibration }: LearnedModel) {
        const now = yield* Clock.currentTimeMillis
        const state = yield* Schema.encodeEffect(State)(calibration)
        yield* sql`INSERT INTO estimator_state (model, state, updated_at) VALUES (${model}, ${state}, ${now}::bigint)
          ON CONFLICT (model) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`
      }, failing("save"))
      const rows = sql<{ readonly model: string; readonly state: string }>`SELECT model, state FROM estimator_state`
      const understood = ({ model, state }: { readonly model: string; readonly state: string }) =>
        Schema.decodeEffect(State)(state).pipe(
          Effect.map((calibration): ReadonlyArray<LearnedModel> => [{ model, calibration }]),
          Effect.orElseSucceed((): ReadonlyArray<LearnedModel> => [])
        )
      const load = rows.pipe(
        Effect.flatMap((found) => Effect.forEach(found, understood)),
        Effect.map((learned) => learned.flat()),
        failing("load")
      )
      return { load, save }
    })
  )
}
