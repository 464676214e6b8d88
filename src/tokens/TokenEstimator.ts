import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { makeCalibrations } from "./Calibrations.ts"
import type { Estimating } from "./Estimate.ts"
import { Estimates } from "./Estimates.ts"
import { EstimatorStore } from "./EstimatorStore.ts"
import { persist } from "./persist.ts"

export type { Estimate } from "./Estimate.ts"

const serve = (estimates: Estimates): Estimating => ({
  estimate: (request) => estimates.estimate(request),
  message: (message, model) => estimates.message(message, model),
  text: (text, model) => estimates.text(text, model),
  observe: (request, usage) => Effect.sync(() => estimates.observe(request, usage))
})

/**
 * Predicts prompt sizes without a tokenizer: one pass over each string, weights per content type and tokenizer
 * generation, calibrated per model on what upstream reported. Pure apart from its memory; each message is scanned once.
 * Messages and tools are known again by identity: treat them as immutable.
 */
export class TokenEstimator extends Context.Service<TokenEstimator, Estimating>()("sluice/tokens/TokenEstimator") {
  /** Learns, and forgets with the layer. */
  static readonly layerMemory: Layer.Layer<TokenEstimator, never, ModelCatalog> = Layer.effect(
    this,
    Effect.map(ModelCatalog, (catalog) => serve(new Estimates(catalog, makeCalibrations())))
  )

  /** `layer` with whatever `EstimatorStore` is there. A store that fails is logged; estimates go on. */
  static readonly layerNoDeps: Layer.Layer<TokenEstimator, never, ModelCatalog | EstimatorStore> = Layer.effect(
    this,
    Effect.gen(function* () {
      const calibrations = makeCalibrations()
      const estimates = new Estimates(yield* ModelCatalog, calibrations)
      yield* persist(calibrations, yield* EstimatorStore)
      return serve(estimates)
    })
  )

  /** Learns, and remembers in the database what it learned about each model. */
  static readonly layer: Layer.Layer<TokenEstimator, never, ModelCatalog | SqlClient.SqlClient> = this.layerNoDeps.pipe(
    Layer.provide(EstimatorStore.layerSql)
  )

  /** For specs: the prior weights; nothing is learned from `observe`. */
  static readonly layerTest: Layer.Layer<TokenEstimator, never, ModelCatalog> = Layer.effect(
    this,
    Effect.map(ModelCatalog, (catalog) => ({
      ...serve(new Estimates(catalog, makeCalibrations())),
      observe: () => Effect.void
    }))
  )
}
