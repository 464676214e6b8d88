import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { compactionBeta, HistoryCompactor } from "../../src/context/HistoryCompactor.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import { makePricing } from "../../src/costs/Pricing.ts"
import { type Caller, defaultCaller } from "../../src/domain/Caller.ts"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { fromUsd, type NanoUsd, sum } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor, type RunOptions } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { layerGovernedCompactor } from "../../src/orchestrator/GovernedCompactor.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { callTools, say } from "../../src/testing/simulator/Responder.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { options } from "../costs/tracking.ts"

const model = "claude-sonnet-5-5"
const system = "You build billing pages. ".repeat(200)
const tools = [{ name: "search", description: "Searches", input_schema: { type: "object" } }]
const user = (content: Message["content"]): Message => ({ role: "user", content })
const assistant = (content: Message["content"]): Message => ({ role: "assistant", content })
const asked = [user("Build the billing page.")]
const messages = [...asked, assistant("It is built.")]
const headers = { "anthropic-beta": compactionBeta }

/** The compactor over the real Governor, its real rooms, and the simulator. */
const world = (overrides: SettingsOverrides = {}, dailyBudget: NanoUsd | null = null) => {
  const rooms = Layer.mergeAll(
    Claude.layerSimulatedNoDeps,
    CostTracker.layerWith({ ...options, dailyBudget }).pipe(Layer.provide(Layer.succeed(Ledger, makeMemory()))),
    TokenRateLimiter.layer,
    ResponseCache.layer,
    TokenEstimator.layerMemory,
    ModelRouter.layer
  ).pipe(
    Layer.provideMerge(Simulator.layer),
    Layer.provideMerge(ModelCatalog.layerDefault),
    Layer.provideMerge(Layer.merge(Settings.layerWith(overrides), Layer.fresh(Events.layerTest)))
  )
  return layerGovernedCompactor.pipe(Layer.provideMerge(Governor.layer.pipe(Layer.provideMerge(rooms))))
}

const compact = HistoryCompactor.use((compactor) =>
  compactor.compact({
    conversation: "c",
    shell: { model, system, tools },
    messages,
    instructions: "Summarise.\nKeep:\nnever deploy on Fridays"
  })
)

const run = (more: Partial<MessagesRequest>, caller: Caller = defaultCaller, given: RunOptions = {}) =>
  Governor.use((governor) =>
    governor.run({ model, max_tokens: 1_000, system, tools, messages: asked, ...more }, caller, given)
  )

const following = (block: ContentBlock) => ({ messages: [assistant([block]), user("And the tests?")] })

/** What upstream would invoice for everything so far, from its own bill. */
const invoice = Effect.gen(function* () {
  const pricing = makePricing(yield* ModelCatalog)
  const { entries } = yield* (yield* Simulator).bill
  return sum(...entries.map(({ model, usage }) => pricing.bill({ model, usage }).costNanoUsd))
})

const booked = Effect.map(
  CostTracker.use((costs) => costs.state),
  ({ total }) => total
)

describe("upstream's compaction through the Governor", () => {
  it.effect("hands out the block, paid for to the nano-dollar, under the summarizer's name", () =>
    Effect.gen(function* () {
      const block = yield* compact
      assert.strictEqual(block.type, "compaction")
      assert.include(String(block.content), "Build the billing page.")
      assert.include(String(block.content), "never deploy on Fridays")
      const total = yield* booked
      const { total: bill } = yield* (yield* Simulator).bill
      assert.isAbove(total.costNanoUsd, 0)
      assert.strictEqual(total.costNanoUsd, yield* invoice)
      assert.deepStrictEqual(total.usage, bill.usage)
      const { byAgent, byConversation } = yield* CostTracker.use((costs) => costs.report({}))
      assert.deepStrictEqual([byAgent[0]?.key, byConversation[0]?.key], ["summarizer", "c"])
      const [event] = (yield* Events.use((events) => events.recent)).map(({ event }) => event)
      assert.deepInclude(event, { _tag: "Usage", usage: bill.usage, costNanoUsd: total.costNanoUsd, status: "ok" })
    }).pipe(Effect.provide(world()))
  )

  it.effect("the limiter holds its tokens against the minute", () =>
    Effect.gen(function* () {
      yield* compact
      const { total } = yield* (yield* Simulator).bill
      const { input, cacheWrite5m, output } = total.usage
      const stats = yield* TokenRateLimiter.use((limiter) => limiter.stats)
      assert.strictEqual(stats.used, input + cacheWrite5m)
      assert.strictEqual(stats.outputUsed, output)
    }).pipe(Effect.provide(world()))
  )

  it.effect("reads what the conversation's last request left in upstream's prompt cache", () =>
    Effect.gen(function* () {
      const { settlement } = yield* run({ cache_control: { type: "ephemeral" } })
      assert.isAbove(settlement.usage.cacheWrite5m, 512)
      yield* compact
      const { total } = yield* (yield* Simulator).bill
      assert.strictEqual(total.usage.cacheRead, settlement.usage.cacheWrite5m)
      assert.strictEqual((yield* booked).costNanoUsd, yield* invoice)
    }).pipe(Effect.provide(world()))
  )

  it.effect("the block is accepted in place of its messages, with the header and not without", () =>
    Effect.gen(function* () {
      const block = yield* compact
      const { message } = yield* run(following(block), defaultCaller, { headers })
      assert.strictEqual(message.stop_reason, "end_turn")
      const refused = yield* Effect.flip(run(following(block)))
      assert.strictEqual(refused._tag === "ClaudeError" && refused.reason._tag, "Rejected")
      assert.strictEqual((yield* booked).costNanoUsd, yield* invoice)
    }).pipe(Effect.provide(world()))
  )

  it.effect("is never answered from the response cache, nor by another model", () =>
    Effect.gen(function* () {
      const compaction = { type: "summarize" }
      const caller = { ...defaultCaller, task: "summary", allowCheaper: true, allowFallback: true } as const
      for (let i = 0; i < 2; i++) {
        const { settlement } = yield* run({ messages: [...messages, user("Well?")], compaction }, caller, { headers })
        assert.strictEqual(settlement.cache, "bypass")
        assert.strictEqual(settlement.model, model)
      }
      const { total } = yield* (yield* Simulator).bill
      assert.strictEqual(total.requests, 2)
      assert.strictEqual((yield* booked).costNanoUsd, yield* invoice)
    }).pipe(Effect.provide(world({ modelRouting: true })))
  )

  for (const [why, answer] of [
    ["refusal", { content: [], stopReason: "refusal" }],
    ["tool_use", callTools({ name: "search", input: {} })],
    ["max_tokens", { ...say("long"), outputTokens: 100_000 }]
  ] as const) {
    it.effect(`${why} instead of a summary: not written, said why, and paid`, () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        yield* simulator.script(answer)
        const error = yield* Effect.flip(compact)
        assert.strictEqual(error._tag, "NotWritten")
        assert.include(error.message, why)
        const { costNanoUsd } = yield* booked
        assert.isAbove(costNanoUsd, 0)
        assert.strictEqual(costNanoUsd, yield* invoice)
      }).pipe(Effect.provide(world()))
    )
  }

  it.effect("a failure of upstream is no summary and no bill", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      yield* simulator.inject(Fault.refuse(400, { message: "no room for that" }))
      const error = yield* Effect.flip(compact)
      assert.strictEqual(error._tag, "NotWritten")
      assert.include(error.message, "no room for that")
      assert.strictEqual((yield* booked).costNanoUsd, 0)
    }).pipe(Effect.provide(world()))
  )

  it.effect("a budget that is spent asks for none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(compact)
      assert.include(error.message, "budget")
      const { total } = yield* (yield* Simulator).bill
      assert.strictEqual(total.requests, 0)
    }).pipe(Effect.provide(world({}, fromUsd(0.000_001))))
  )
})
