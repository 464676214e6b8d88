import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { refusal } from "../../src/models/Accepts.ts"
import { complexityOf } from "../../src/models/Complexity.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"

const request = (text: string, more: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model: "claude-fable-5",
  max_tokens: 1_000,
  messages: [{ role: "user", content: text }],
  ...more
})

describe("the complexity rule", () => {
  const tools = [{ name: "search" }]
  const cases: ReadonlyArray<readonly [name: string, asked: MessagesRequest, task: string, points: number]> = [
    ["a short question", request("What is the capital of France?"), "simple", 0],
    ["tools", request("Hi", { tools }), "main", 2],
    ["no tools", request("Hi", { tools: [] }), "simple", 0],
    ["thinking", request("Hi", { thinking: { type: "adaptive" } }), "main", 2],
    ["thinking off", request("Hi", { thinking: { type: "disabled" } }), "simple", 0],
    ["a long question", request("x".repeat(1_501)), "main", 1],
    ["a very long question", request("x".repeat(12_001)), "main", 2],
    ["code", request("What does this do?\n```\n1\n```"), "main", 1],
    ["hard work", request("Please refactor this"), "main", 1],
    ["words within words", request("The debugger and the designer"), "simple", 0],
    ["high effort", request("Hi", { output_config: { effort: "high" } }), "main", 3],
    ["low effort", request("Hi", { output_config: { effort: "low" } }), "simple", 0],
    ["a long answer", request("Hi", { max_tokens: 4_097 }), "main", 1],
    ["all at once", request("Design it", { tools, output_config: { effort: "max" } }), "complex", 6],
    ["just below", request("Hi", { tools, thinking: { type: "adaptive" } }), "main", 4]
  ]
  for (const [name, asked, task, points] of cases) {
    it(`${name}: ${task}`, () => {
      const judged = complexityOf(asked)
      assert.deepStrictEqual([judged.task, judged.points], [task, points])
      assert.strictEqual(judged.signs.length === 0, points === 0)
    })
  }

  it("reads the newest user message, whatever stands before and in whatever form", () => {
    const messages: MessagesRequest["messages"] = [
      { role: "user", content: "Prove it step by step" },
      { role: "assistant", content: "Done." },
      { role: "user", content: [{ type: "text", text: "Thanks" }] }
    ]
    assert.strictEqual(complexityOf(request("", { messages })).task, "simple")
    const image: MessagesRequest["messages"] = [{ role: "user", content: [{ type: "image", source: {} }] }]
    assert.deepStrictEqual(complexityOf(request("", { messages: image })).signs, ["images or documents (+1)"])
    assert.strictEqual(complexityOf(request("", { messages: [] })).task, "simple")
  })

  const routed = (asked: MessagesRequest, modelRoutingComplexity: boolean, task?: "main") =>
    Effect.flatMap(ModelRouter, ({ route }) => route(asked, { ...defaultCaller, task })).pipe(
      Effect.provide(
        ModelRouter.layer.pipe(
          Layer.provide([Settings.layerWith({ modelRouting: true, modelRoutingComplexity }), ModelCatalog.layerDefault])
        )
      )
    )

  it.effect("routes when it is switched on and no task is declared, and says what it saw", () =>
    Effect.gen(function* () {
      const hard = request("Design it", { tools, output_config: { effort: "max" } })
      assert.strictEqual((yield* routed(request("Hi"), true)).id, "claude-haiku-5-5")
      assert.strictEqual((yield* routed(request("Hi", { tools }), true)).id, "claude-sonnet-5-5")
      const { id, reason } = yield* routed(hard, true)
      assert.strictEqual(id, "claude-opus-5-5")
      assert.include(reason, "tools (+2)")
      assert.include(reason, "6 points")
      assert.strictEqual((yield* routed(hard, true, "main")).id, "claude-sonnet-5-5")
      assert.strictEqual((yield* routed(hard, false)).id, "claude-fable-5")
    })
  )
})

describe("what a model takes", () => {
  const parameters: Record<string, Partial<MessagesRequest>> = {
    "a thinking budget": { thinking: { type: "enabled", budget_tokens: 1_024 }, max_tokens: 2_000 },
    "thinking off": { thinking: { type: "disabled" } },
    "a forced tool": { tools: [{ name: "t", input_schema: { type: "object" } }], tool_choice: { type: "any" } },
    "nothing special": {}
  }
  const models = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2", "claude-opus-4-6"]
  it.effect("agrees with the API's rules", () =>
    Effect.gen(function* () {
      const { get } = yield* ModelCatalog
      for (const model of models) {
        for (const [name, more] of Object.entries(parameters)) {
          const asked = request("Hi", { model, ...more })
          const violated = validate(asked).length > 0
          assert.strictEqual(refusal(get(model), asked) !== undefined, violated, `${model}, ${name}`)
        }
      }
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("is bounded by its output and its window", () =>
    Effect.gen(function* () {
      const { get } = yield* ModelCatalog
      const small = get("claude-haiku-4-5")
      assert.isUndefined(refusal(small, request("x".repeat(300_000))))
      assert.include(refusal(small, request("x".repeat(500_000))), "too small")
      assert.include(refusal(small, request("x", { max_tokens: 100_000 })), "100000")
      assert.include(
        refusal(small, request("x", { system: [{ type: "text", text: "y".repeat(500_000) }] })),
        "too small"
      )
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )

  it.effect("does not continue another model's answer, and is not fast where there is no fast mode", () =>
    Effect.gen(function* () {
      const { get } = yield* ModelCatalog
      const begun = request("Hi", {
        messages: [
          { role: "user", content: "Hi" },
          { role: "assistant", content: "He" }
        ]
      })
      assert.isDefined(refusal(get("claude-opus-5-5"), begun))
      assert.isDefined(refusal(get("claude-haiku-5-5"), request("Hi", { speed: "fast" })))
    }).pipe(Effect.provide(ModelCatalog.layerDefault))
  )
})
