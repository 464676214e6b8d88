import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import * as Layout from "../../src/context/Layout.ts"
import type { Shell } from "../../src/context/PreparedContext.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { settingsOptions } from "../../src/context/settingsOptions.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { layOut } from "../../src/testing/simulator/Prompt.ts"
import { type PromptBill, PromptCache } from "../../src/testing/simulator/PromptCache.ts"
import { type SimulatedModel, simulatedModel } from "../../src/testing/simulator/SimulatedModel.ts"
import { loadTokenizer } from "../../src/testing/simulator/Tokenizer.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"

const model = "claude-sonnet-5-5"
const shell: Shell = { model, system: "You orchestrate. ".repeat(100) }
const minute = 60_000

const found = (simulated: SimulatedModel | undefined): SimulatedModel => {
  if (simulated === undefined) throw new Error(`${model} is not simulated`)
  return simulated
}

const makeOptions = Effect.gen(function* () {
  return {
    conversation: "c",
    estimator: yield* TokenEstimator,
    summarizer: yield* Summarizer,
    catalog: yield* ModelCatalog,
    ...settingsOptions(yield* Settings)
  }
}).pipe(
  Effect.provide(Summarizer.layer),
  Effect.provide(ModelCatalog.layerDefault),
  Effect.provideService(TokenEstimator, plainEstimator()),
  Effect.provide(Settings.layerWith({}))
)

const answer = (n: number) =>
  `Done: step ${n}, commit ${(n * 7919 + 0xabc0000).toString(16)}. ${"It went well. ".repeat(30)}`

/** A conversation with these gaps, in minutes, and what upstream's cache made of each of its requests. */
const play = Effect.fnUntraced(function* (gaps: ReadonlyArray<number>) {
  const options = yield* makeOptions
  const tokenizer = yield* loadTokenizer
  const simulated = found(simulatedModel(model))
  const cache = new PromptCache(10_000)
  const history: Array<StoredMessage> = []
  const bills: Array<PromptBill> = []
  let context = new ConversationContext(options)
  let previous: ReadonlyArray<string> = []
  let now = 0
  for (const [n, gap] of gaps.entries()) {
    now += gap * minute
    history.push({ seq: 2 * n, role: "user", content: `Step ${n}, please.`, tokens: 0, createdAt: now })
    context.append(history.slice(context.next), model)
    const { cacheControl, compaction, messages, system } = yield* context.prepare(shell)
    const body = { model, max_tokens: 9, messages, system: system ?? "", cache_control: cacheControl }
    assert.deepStrictEqual(validate(body), [])
    const bytes = messages.map((message) => JSON.stringify(message))
    if (compaction === undefined) assert.deepStrictEqual(bytes.slice(0, previous.length), previous)
    previous = bytes
    const prompt = layOut(body, simulated, tokenizer)
    const plan = cache.plan({ owner: "o", prompt, minCacheable: simulated.minCacheable, nowMillis: now })
    plan.commit()
    bills.push(plan.bill)
    history.push({ seq: 2 * n + 1, role: "assistant", content: answer(n), tokens: 0, createdAt: now + 1_000 })
    if (n % 17 === 16) {
      const layout = Layout.decode(Layout.encode(context.layout), context.layout.segments)
      context = new ConversationContext(options, layout)
      context.append(history.slice(context.retainedFrom), model)
    }
  }
  return bills
})

const total = ({ cacheRead, input, write1h, write5m }: PromptBill): number => cacheRead + input + write1h + write5m
const sum = (bills: ReadonlyArray<PromptBill>, of: (bill: PromptBill) => number): number =>
  bills.reduce((all, bill) => all + of(bill), 0)

describe("how long upstream is to keep a prompt", () => {
  it.effect("an hour for a conversation that is woken every ten minutes: most of it is read then", () =>
    Effect.gen(function* () {
      const bills = (yield* play(Array.from({ length: 16 }, () => 10))).slice(6)
      assert.isAbove(sum(bills, ({ cacheRead }) => cacheRead) / sum(bills, total), 0.75)
      assert.strictEqual(
        sum(bills, ({ write5m }) => write5m),
        0
      )
    })
  )

  it.effect("five minutes for one that goes on without a pause", () =>
    Effect.gen(function* () {
      const bills = yield* play(Array.from({ length: 60 }, () => 1))
      assert.strictEqual(
        sum(bills, ({ write1h }) => write1h),
        0
      )
    })
  )

  it.effect.prop(
    "whatever the gaps, restarts between them: legal marks, and the bytes of a prefix stay",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 90 }))).check(Schema.isMaxLength(60))],
    ([gaps]) => play(gaps),
    { arbitrary: { runs: 40 } }
  )
})
