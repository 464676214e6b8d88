/** A process to be killed: governs calls to an upstream that keeps its own bill. `node killed.ts DIRECTORY PORT` */
import { join } from "node:path"
import { Effect, Layer, Random } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { zero } from "../../src/domain/Usage.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"

const [directory = "", port = ""] = process.argv.slice(2)
const model = "claude-sonnet-5-5"

const call = (requestId: string) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/${requestId}`, { method: "POST" })
    return Number(await response.text())
  })

const request = Effect.gen(function* () {
  const costs = yield* CostTracker
  const requestId = `${process.pid}-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`
  yield* costs.reserve({ requestId, caller: defaultCaller, model, estimate: nanoUsd(20_000_000) })
  const output = yield* call(requestId)
  if (output === 0) return yield* costs.release(requestId)
  yield* costs.settle({ requestId, caller: defaultCaller, model, usage: { ...zero, output }, rawTokens: 0 })
})

const settings = Settings.layerWith({ dataDir: directory, costAlertThresholdUsd: 1e6 })
const services = CostTracker.layer.pipe(
  Layer.provide([Events.layer, ModelCatalog.layerDefault, Database.layerEmbedded(join(directory, "db")), settings])
)

const eight = Effect.forEach(Array(8), () => Effect.forever(request), { concurrency: "unbounded", discard: true })

await Effect.runPromise(Effect.provide(eight, services))
