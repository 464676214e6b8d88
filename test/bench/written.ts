import { Effect, Layer } from "effect"
import { layer } from "../../src/cli/replay/layer.ts"
import type { Policy } from "../../src/cli/replay/Policy.ts"
import { policies } from "../../src/cli/replay/policies.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { layerGovernedWriter } from "../../src/orchestrator/GovernedWriter.ts"
import { layerTest } from "../../src/testing/index.ts"

/** The replay's services with summaries by the simulator, through the Governor. */
export const layerWritten = Summarizer.layerModel.pipe(
  Layer.provide(layerGovernedWriter.pipe(Layer.provide(layerTest()))),
  Layer.provideMerge(layer)
)

const turn = Effect.promise(() => new Promise<void>((done) => setImmediate(done)))

/** Sluice's policy with a breath between requests, as there is in life: the background may write. */
export const breathing: Policy = (history, bench) => {
  const player = policies.sluice(history, bench)
  return {
    ...player,
    prompt: (upTo) => Effect.tap(player.prompt(upTo), () => Effect.forEach([1, 2, 3, 4, 5, 6], () => turn))
  }
}
