import { bounded, type Calibration, uncalibrated } from "./calibration.ts"
import type { LearnedModel } from "./EstimatorStore.ts"

/** What was learned, by model, and which of it has changed since it was last taken. */
export const makeCalibrations = () => {
  const learned = new Map<string, Calibration>()
  const changed = new Set<string>()
  return {
    get: (model: string): Calibration => learned.get(model) ?? uncalibrated,
    set: (model: string, calibration: Calibration): void => {
      learned.set(model, calibration)
      changed.add(model)
    },
    restore: ({ model, calibration }: LearnedModel): void => void learned.set(model, bounded(calibration)),
    /** What changed since the last call. */
    take: (): ReadonlyArray<LearnedModel> => {
      const models = Array.from(changed, (model) => ({ model, calibration: learned.get(model) ?? uncalibrated }))
      changed.clear()
      return models
    },
    /** Gives back what could not be kept, for the next `take`. */
    putBack: (models: ReadonlyArray<LearnedModel>): void => {
      for (const { model } of models) changed.add(model)
    }
  }
}

export type Calibrations = ReturnType<typeof makeCalibrations>
