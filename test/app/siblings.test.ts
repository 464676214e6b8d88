import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { layerServices } from "../../src/App.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { sum } from "../../src/domain/Money.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { temporaryDirectory } from "../support/directory.ts"

const siblings = 8
const policy = "Policy of the house. ".repeat(1000)

const sibling = (question: number): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  system: [{ type: "text", text: policy, cache_control: { type: "ephemeral" } }],
  messages: [{ role: "user", content: `Question ${question}?` }]
})

const ask = (question: number) =>
  Effect.gen(function* () {
    const governor = yield* Governor
    if (question % 2 === 0) return yield* governor.run(sibling(question), defaultCaller)
    return yield* Stream.runDrain((yield* governor.stream(sibling(question), defaultCaller)).events)
  }).pipe(Effect.scoped)

/** What siblings that come at once cost, by the ledger, and what upstream wrote for them. */
const together = (overrides: SettingsOverrides) =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const simulator = Simulator.layerWith({
      firstByte: "100 millis",
      perToken: 0,
      rule: () => ({ content: [{ type: "text", text: "Yes." }] })
    })
    const everything = layerServices.pipe(
      Layer.provideMerge(Claude.layerSimulatedNoDeps.pipe(Layer.provideMerge(simulator))),
      Layer.provideMerge(Settings.layerWith({ dataDir, ...overrides }))
    )
    return yield* Effect.gen(function* () {
      const tracker = yield* CostTracker
      const catalog = yield* ModelCatalog
      const before = (yield* tracker.state).total
      yield* Effect.forEach(Array.from({ length: siblings }).keys(), ask, { concurrency: "unbounded", discard: true })
      const { total } = yield* tracker.state
      const { entries } = yield* (yield* Simulator).bill
      const billed = entries.map(({ usage }) => catalog.price(catalog.get("claude-sonnet-5-5"), usage))
      assert.strictEqual(total.requests - before.requests, siblings)
      assert.strictEqual(total.costNanoUsd - before.costNanoUsd, sum(...billed))
      return { writes: entries.filter(({ usage }) => usage.cacheWrite5m > 0).length, nanoUsd: sum(...billed) }
    }).pipe(Effect.provide(everything))
  }).pipe(Effect.scoped)

layer(Database.layerMemory, { excludeTestServices: true })(
  "siblings with one long prefix, through every layer",
  (it) => {
    it.effect("make one cache write instead of eight, which shows on the bill", () =>
      Effect.gen(function* () {
        const gated = yield* together({})
        const off = yield* together({ enabled: { responseCache: false } })
        const unmanaged = yield* together({ tokenManagementEnabled: false })
        assert.deepStrictEqual([gated.writes, off.writes, unmanaged.writes], [1, siblings, siblings])
        assert.isBelow(gated.nanoUsd, off.nanoUsd * 0.35)
      })
    )
  }
)
