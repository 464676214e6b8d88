/** What accounting costs a request: `node test/bench/costs.ts`. Embedded database in a temporary directory. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Console, Effect, Layer } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"

const usage = { input: 100, cacheWrite5m: 200, cacheWrite1h: 0, cacheRead: 10_000, output: 500 }
const model = "claude-sonnet-5-5"
let next = 0

const once = Effect.gen(function* () {
  const costs = yield* CostTracker
  const requestId = `r${next++}`
  const begun = performance.now()
  yield* costs.reserve({ requestId, caller: defaultCaller, model, estimate: nanoUsd(10_000_000) })
  const reserved = performance.now()
  yield* costs.settle({ requestId, caller: defaultCaller, model, usage, rawTokens: 0 })
  return { reserve: reserved - begun, settle: performance.now() - reserved }
})

const quantile = (values: ReadonlyArray<number>, q: number): string =>
  `${((values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? 0) * 1000).toFixed(0)} µs`

const measure = Effect.fnUntraced(function* (name: string, count: number, concurrency: number) {
  yield* Effect.forEach(Array(Math.min(count, 2000)), () => once, { concurrency })
  const begun = performance.now()
  const times = yield* Effect.forEach(Array(count), () => once, { concurrency })
  const perSecond = Math.round((count / (performance.now() - begun)) * 1000)
  const of = (part: "reserve" | "settle") => {
    const values = times.map((time) => time[part])
    return `${part} p50 ${quantile(values, 0.5)} p99 ${quantile(values, 0.99)}`
  }
  yield* Console.log(`${name}, ${concurrency} at once: ${perSecond} requests/s, ${of("reserve")}, ${of("settle")}`)
})

const tracker = (ledger: Layer.Layer<Ledger, unknown>) =>
  CostTracker.layerNoDeps.pipe(
    Layer.provide([ledger, Events.layer, ModelCatalog.layerDefault, Settings.layerWith({ costAlertThresholdUsd: 1e6 })])
  )

const directory = mkdtempSync(join(tmpdir(), "sluice-costs-"))
const embedded = Ledger.layerSql.pipe(Layer.provide(Database.layerEmbedded(join(directory, "db"))))
const journaled = Ledger.layerJournaled(join(directory, "ledger")).pipe(Layer.provide(embedded))

await Effect.runPromise(
  Effect.gen(function* () {
    yield* Effect.all([measure("memory", 50_000, 1), measure("memory", 50_000, 50)]).pipe(
      Effect.provide(tracker(Ledger.layerMemory))
    )
    yield* Effect.gen(function* () {
      yield* measure("embedded", 2000, 1)
      yield* measure("embedded", 10_000, 16)
      yield* measure("embedded", 20_000, 50)
    }).pipe(Effect.provide(tracker(embedded)))
    yield* Effect.gen(function* () {
      yield* measure("journal and embedded", 5000, 1)
      yield* measure("journal and embedded", 5000, 50)
      const costs = yield* CostTracker
      const begun = performance.now()
      const { total } = yield* costs.report({})
      yield* Console.log(`report over ${total.requests} rows: ${(performance.now() - begun).toFixed(0)} ms`)
    }).pipe(Effect.provide(tracker(journaled)))
  })
).finally(() => rmSync(directory, { recursive: true, force: true }))
