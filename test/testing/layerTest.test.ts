import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChatRepo, CostTracker, Orchestrator } from "../../src/index.ts"
import { layerTest, Simulator, say } from "../../src/testing/index.ts"

layer(layerTest({ settings: { maxContextTokens: 20_000 } }), { excludeTestServices: true })("layerTest", (it) => {
  it.effect("is everything: a scripted answer, its cost booked as the simulator bills it", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      yield* simulator.script(say("It works."))
      const { id } = yield* (yield* ChatRepo).create({ title: "t" })
      const last = yield* Stream.runLast((yield* Orchestrator).send(id, "Does it?"))
      assert.strictEqual(last._tag, "Some")
      if (last._tag === "None" || last.value._tag !== "Done") return assert.fail("not done")
      assert.deepStrictEqual(last.value.message.content, [{ type: "text", text: "It works." }])
      const { entries } = yield* simulator.bill
      assert.strictEqual(entries.length, 1)
      const { total } = yield* (yield* CostTracker).state
      assert.strictEqual(total.costNanoUsd, last.value.settlements[0]?.costNanoUsd)
    })
  )
})
