import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HistoryCompactor } from "../../src/context/HistoryCompactor.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { Settings } from "../../src/Settings.ts"
import { layerPlainEstimator } from "../support/estimator.ts"

const settle = Effect.forEach(Array.from({ length: 30 }), () => Effect.yieldNow, { discard: true })

const request = (conversation: string) => ({
  conversation,
  shell: { model: "claude-sonnet-5-5" },
  upTo: 4,
  messages: () => [],
  keep: () => ""
})

describe("upstream's own compaction", () => {
  it.effect("is given up, not waited for, where its call is interrupted or breaks; others go on", () => {
    let calls = 0
    const compact = () => {
      calls++
      if (calls <= 6) return Effect.interrupt
      if (calls <= 8) throw new Error("broken")
      return Effect.succeed({ type: "compaction", content: "In short." })
    }
    return Effect.gen(function* () {
      const { block } = yield* Summarizer
      if (block === undefined) return yield* Effect.die("no block")
      for (let n = 0; n < 8; n++) {
        assert.strictEqual(yield* block(request(`c${n}`)), "pending")
        yield* settle
        assert.strictEqual(yield* block(request(`c${n}`)), "unavailable", `after call ${n + 1}`)
      }
      yield* block(request("last"))
      yield* settle
      assert.isObject(yield* block(request("last")))
    }).pipe(
      Effect.provide(
        Summarizer.layerUpstream.pipe(
          Layer.provide(Layer.succeed(HistoryCompactor, { compact })),
          Layer.provide(layerPlainEstimator),
          Layer.provide(Settings.layerWith({}))
        )
      )
    )
  })
})
