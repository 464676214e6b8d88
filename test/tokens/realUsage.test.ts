import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { calls, conversationNames, dataIsHere, growths } from "../bench/estimator-data.ts"
import { withEstimator } from "./support.ts"

const share = <A>(all: ReadonlyArray<A>, holds: (one: A) => boolean): number => all.filter(holds).length / all.length

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

/** `npm run bench:estimator` says it in full. */
describe.skipIf(!dataIsHere)("against what upstream counted in real conversations", () => {
  it.effect("growths of prompts: half of them within 4 %, most within 10 %, and at most 1 % above the bound", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        const catalog = yield* ModelCatalog
        const samples = growths().map(({ actual, messages, model }) => {
          const estimates = messages.map((message) => estimator.message(message, model))
          const tokens = estimates.reduce((sum, e) => sum + e.tokens, 0)
          const bound = estimates.reduce((sum, e) => sum + e.upperBound, 0)
          return {
            generation: catalog.get(model).tokenizer,
            error: Math.abs(tokens / actual - 1),
            held: actual <= bound
          }
        })
        for (const [generation, within] of [
          ["old", 0.8],
          ["new", 0.94]
        ] as const) {
          const mine = samples.filter((s) => s.generation === generation)
          assert.isBelow(median(mine.map((s) => s.error)), 0.04)
          assert.isAbove(
            share(mine, (s) => s.error <= 0.1),
            within
          )
        }
        assert.isAtLeast(
          share(samples, (s) => s.held),
          0.99
        )
      }).pipe(Effect.provide(ModelCatalog.layerDefault))
    )
  )

  it.effect(
    "whole prompts, call by call: within 10 %, after ten calls within 3 %, and at most 1 % above the bound",
    () =>
      withEstimator((estimator) =>
        Effect.gen(function* () {
          const samples: Array<{ error: number; late: boolean; held: boolean }> = []
          for (const name of conversationNames()) {
            for (const { actual, number, request, usage } of calls(name)) {
              const { tokens, upperBound } = estimator.estimate(request)
              const error = Math.abs(tokens / actual - 1)
              if (number > 0) samples.push({ error, late: number >= 10, held: actual <= upperBound })
              yield* estimator.observe(request, usage)
            }
          }
          assert.isAbove(
            share(samples, (s) => s.error <= 0.1),
            0.999
          )
          assert.isAbove(
            share(
              samples.filter((s) => s.late),
              (s) => s.error <= 0.03
            ),
            0.995
          )
          assert.isAtLeast(
            share(samples, (s) => s.held),
            0.99
          )
        })
      )
  )
})
