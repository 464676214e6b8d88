import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { contextAt } from "../../src/cli/replay/contextCommand.ts"
import { type Played, playWith, requestPoints } from "../../src/cli/replay/play.ts"
import { sluiceWith } from "../../src/cli/replay/policies.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import type { Transcript } from "../../src/cli/replay/Transcript.ts"
import { decide } from "../../src/context/CompactionPolicy.ts"
import { ContextManager, type PreparedContext, type Shell } from "../../src/context/ContextManager.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"
import { historyOf } from "../support/history.ts"
import { numbersOf } from "./logs.ts"

const model = "claude-sonnet-5-5"

/** Tokens of the system prompt, where there is one. */
const systemTokens = 12_000

/** Bounds are estimates and marks weigh nothing, so that a prefix of so many tokens and a system prompt of so many are one thing. */
const exact = (): TokenEstimator["Service"] => {
  const plain = plainEstimator()
  const bound = ({ tokens }: { readonly tokens: number }) => ({ tokens, upperBound: tokens })
  return {
    ...plain,
    estimate: ({ system, ...request }) => {
      const { tokens } = plain.estimate(request)
      return bound({ tokens: tokens + (system === undefined ? 0 : systemTokens) })
    },
    message: (message, id) => bound(plain.message(message, id)),
    text: (text, id) => bound(plain.text(text, id))
  }
}

const services = Layer.mergeAll(
  Summarizer.layer,
  ChatRepo.layerMemory,
  Layer.mock(Events, { publish: () => Effect.void })
).pipe(
  Layer.provideMerge(Layer.succeed(TokenEstimator, exact())),
  Layer.provideMerge(ModelCatalog.layerDefault),
  Layer.provideMerge(Settings.layerWith({ maxContextTokens: 32_000, recentMessagesFull: 12, midRangeMessages: 40 }))
)

/** A minute between messages, and now and then twenty. */
const messages: ReadonlyArray<StoredMessage> = historyOf(numbersOf(3, 150)).map((message) => ({
  ...message,
  createdAt: message.seq * 60_000 + Math.floor(message.seq / 40) * 20 * 60_000
}))

const transcript: Transcript = {
  name: "a",
  messages,
  outputTokens: new Map(messages.flatMap(({ role, seq }) => (role === "assistant" ? [[seq, 900] as const] : [])))
}

const factsOf = ({ compaction, decision, estimatedTokens, rawTokens, upperBound }: PreparedContext) => ({
  compaction,
  decision,
  estimatedTokens,
  rawTokens,
  upperBound
})

/** What was prepared for each request of a replay. */
const replayed = Effect.fnUntraced(function* (prefixTokens: number) {
  const { bench, meter } = yield* makeBench(model, prefixTokens)
  const prepared: Array<PreparedContext> = []
  const played: Array<Played> = []
  const policy = sluiceWith(decide, (one) => void prepared.push(one))
  yield* playWith(transcript, policy, bench, { ...meter, onRequest: (one) => void played.push(one) })
  return { prepared, played }
})

/** What the service prepares when the same is said at the same times, and upstream's usage is the replay's. */
const lived = Effect.fnUntraced(function* (played: ReadonlyArray<Played>, shell: Shell) {
  const repo = yield* ChatRepo
  const context = yield* ContextManager
  const { id } = yield* repo.create({})
  const prepared: Array<PreparedContext> = []
  for (const [index, message] of messages.entries()) {
    if (message.role === "assistant" && index > 0 && messages[index - 1]?.role !== "assistant") {
      const usage = played[prepared.length]?.usage
      prepared.push(yield* context.prepare(id, shell))
      if (usage !== undefined) yield* context.settled(id, usage)
    }
    yield* TestClock.setTime(message.createdAt)
    yield* context.appended(id, yield* repo.append(id, [{ role: message.role, content: message.content, tokens: 0 }]))
  }
  return prepared
}, Effect.provide(ContextManager.layer))

const compare = Effect.fnUntraced(function* (shell: Shell) {
  const { played, prepared } = yield* replayed(shell.system === undefined ? 0 : systemTokens)
  const live = yield* lived(played, shell)
  assert.isAbove(prepared.filter(({ compaction }) => compaction !== undefined).length, 5)
  assert.deepStrictEqual(live.map(factsOf), prepared.map(factsOf))
}, Effect.provide(services))

describe("replay against the service", () => {
  it.effect("decides the same, at the same expected savings, thinking included", () => compare({ model }))

  it.effect("with a fixed prefix as with a system prompt of that size", () =>
    compare({ model, system: "You orchestrate." })
  )

  it.effect("`sluice context` shows what replay sent", () =>
    Effect.gen(function* () {
      const { prepared } = yield* replayed(2_000)
      const shown = yield* contextAt(transcript, requestPoints(messages).at(-1) ?? 0, model, 2_000)
      assert.deepStrictEqual(factsOf(shown), factsOf(prepared.at(-1) ?? shown))
    }).pipe(Effect.provide(services))
  )
})
