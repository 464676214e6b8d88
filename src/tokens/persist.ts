import { Effect, type Scope } from "effect"
import type { Calibrations } from "./Calibrations.ts"
import type { EstimatorStore } from "./EstimatorStore.ts"

const every = "5 seconds"

/**
 * Loads what was learned, then saves what changes, every few seconds and when the scope closes. A store that fails is
 * logged, and tried again with the next change.
 */
export const persist = (
  calibrations: Calibrations,
  store: EstimatorStore["Service"]
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const known = yield* store.load.pipe(
      Effect.tapError((error) => Effect.logWarning(error.message)),
      Effect.orElseSucceed(() => [])
    )
    known.forEach(calibrations.restore)
    const save = Effect.suspend(() =>
      Effect.forEach(
        calibrations.take(),
        (learned) =>
          store.save(learned).pipe(
            Effect.tapError((error) => Effect.logWarning(error.message)),
            Effect.catch(() => Effect.sync(() => calibrations.putBack([learned])))
          ),
        { discard: true }
      )
    )
    yield* Effect.addFinalizer(() => save)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), save)))
  })
