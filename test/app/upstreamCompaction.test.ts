import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Orchestrator } from "../../src/orchestrator/Orchestrator.ts"
import { layerTest, Simulator } from "../../src/testing/index.ts"

const settings = { summaryModel: "upstream", compactionObjective: "tokens", recentMessagesFull: 4 } as const

describe("SUMMARY_MODEL=upstream, everything as shipped", () => {
  it.live(
    "has upstream condense the history, sends the block back, and books what it cost to the nano-dollar",
    () =>
      Effect.gen(function* () {
        const repo = yield* ChatRepo
        const orchestrator = yield* Orchestrator
        const { id, tenant } = yield* repo.create({ title: "t", tenant: "acme" })
        const send = (text: string) => Stream.runCollect(orchestrator.send(id, text, { model: "claude-sonnet-5-5" }))
        let last: ReadonlyArray<{ readonly _tag: string }> = []
        for (let n = 0; n < 12; n++) {
          last = yield* send(`Question ${n}. Never touch production. [[tokens:900]]`)
          yield* Effect.sleep("20 millis")
        }
        assert.strictEqual(last.at(-1)?._tag, "Done")

        const layout = JSON.parse((yield* repo.layout(id)) ?? "null")
        assert.strictEqual(layout?.upstream?.block?.type, "compaction")
        assert.isAbove(layout.boundary, 0)
        assert.deepStrictEqual(layout.segments, [])

        const { bill } = yield* Simulator
        const { byModel } = (yield* bill).total
        const catalog = yield* ModelCatalog
        let owed = 0
        for (const [model, usage] of byModel) owed += catalog.price(catalog.get(model), usage)
        const { total } = yield* (yield* CostTracker).state
        assert.strictEqual(Number(total.costNanoUsd), owed)
        assert.strictEqual(tenant, "acme")
      }).pipe(Effect.provide(layerTest({ settings }))),
    60_000
  )
})
