import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decide } from "../../src/context/CompactionPolicy.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import { lookbackPositions, lostEnd, positionsOf } from "../../src/context/Lookback.ts"
import type { PreparedContext, Shell } from "../../src/context/PreparedContext.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { settingsOptions } from "../../src/context/settingsOptions.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { layOut } from "../../src/testing/simulator/Prompt.ts"
import { PromptCache } from "../../src/testing/simulator/PromptCache.ts"
import { simulatedModel } from "../../src/testing/simulator/SimulatedModel.ts"
import { loadTokenizer } from "../../src/testing/simulator/Tokenizer.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"

const text = (n: number): ContentBlock => ({ type: "text", text: `${n} ${"words of some length ".repeat(20)}` })
const use = (n: number): ContentBlock => ({ type: "tool_use", id: `t${n}`, name: "Bash", input: {} })
const result = (n: number): ContentBlock => ({ type: "tool_result", tool_use_id: `t${n}`, content: `ok ${n}` })
const many = (count: number) => Array.from({ length: count }, (_, n) => text(n))

describe("positions", () => {
  it("are blocks, but a run of calls, or of results, is one", () => {
    const messages: ReadonlyArray<Message> = [
      { role: "assistant", content: [text(0), use(1), use(2), use(3)] },
      { role: "user", content: [result(1), result(2), result(3), text(1)] }
    ]
    assert.strictEqual(positionsOf(messages), 4)
  })
  it("the previous end is lost when as many as upstream looks back over follow it", () => {
    const withAnswer = (blocks: number): ReadonlyArray<Message> => [
      { role: "user", content: "go" },
      { role: "assistant", content: many(blocks) },
      { role: "user", content: "on" }
    ]
    assert.isUndefined(lostEnd(withAnswer(lookbackPositions - 2)))
    assert.strictEqual(lostEnd(withAnswer(lookbackPositions - 1)), 0)
  })
})

const model = "claude-sonnet-5-5"
const shell: Shell = { model, system: "You orchestrate. ".repeat(200), tools: [{ name: "Bash", input_schema: {} }] }

const makeContext = Effect.gen(function* () {
  return new ConversationContext({
    conversation: "c",
    estimator: yield* TokenEstimator,
    summarizer: yield* Summarizer,
    catalog: yield* ModelCatalog,
    ...settingsOptions(yield* Settings),
    policy: (s) => (s.fullMessages > 30 ? { compact: true, reason: "many", savesNanoUsd: 0 } : decide(s))
  })
}).pipe(
  Effect.provide(Summarizer.layer),
  Effect.provide(ModelCatalog.layerDefault),
  Effect.provideService(TokenEstimator, plainEstimator()),
  Effect.provide(Settings.layerWith({}))
)

const bodyOf = ({ cacheControl, messages, system, tools }: PreparedContext) => ({
  model,
  max_tokens: 100,
  messages,
  ...(system === undefined ? {} : { system }),
  ...(tools === undefined ? {} : { tools }),
  ...(cacheControl === undefined ? {} : { cache_control: cacheControl })
})

const rounds = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 45 }))).check(
  Schema.isMinLength(2),
  Schema.isMaxLength(25)
)

describe("upstream's prompt cache", () => {
  it.effect.prop(
    "serves what the previous request wrote, however long a round was, with at most four breakpoints",
    [rounds],
    ([lengths]) =>
      Effect.gen(function* () {
        const context = yield* makeContext
        const simulated = simulatedModel(model)
        assert.isDefined(simulated)
        if (simulated === undefined) return
        const cache = new PromptCache(10_000)
        const tokenizer = yield* loadTokenizer
        const history: Array<StoredMessage> = []
        const say = (role: "user" | "assistant", content: Message["content"]) =>
          history.push({ seq: history.length, role, content, tokens: 0, createdAt: 0 })
        let written = 0
        for (const blocks of lengths) {
          say("user", [text(history.length)])
          context.append(history.slice(context.next), model)
          const prepared = yield* context.prepare(shell)
          const body = bodyOf(prepared)
          assert.deepStrictEqual(validate(body), [])
          assert.isAtMost(prepared.breakpoints.length, 4)
          const prompt = layOut(body, simulated, tokenizer)
          const plan = cache.plan({ owner: "o", prompt, minCacheable: simulated.minCacheable, nowMillis: 0 })
          if (prepared.compaction === undefined) assert.strictEqual(plan.bill.cacheRead, written)
          plan.commit()
          written = prompt.tokens
          say("assistant", many(blocks))
        }
      }),
    { arbitrary: { runs: 40 } }
  )
})
