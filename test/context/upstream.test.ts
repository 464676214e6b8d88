import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import type { Decision, Situation } from "../../src/context/CompactionPolicy.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import { type CompactHistory, compactionBeta, HistoryCompactor } from "../../src/context/HistoryCompactor.ts"
import * as Layout from "../../src/context/Layout.ts"
import type { PreparedContext, Shell } from "../../src/context/PreparedContext.ts"
import { hasThinking } from "../../src/context/Shrink.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { NotWritten } from "../../src/context/SummaryWriter.ts"
import { settingsOptions } from "../../src/context/settingsOptions.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, ContentBlock } from "../../src/domain/Message.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { layerPlainEstimator, plainEstimator } from "../support/estimator.ts"
import { historyOf, requestPoints } from "../support/history.ts"

const shell: Shell = { model: "claude-sonnet-5-5", system: "You orchestrate." }
const block: ContentBlock = { type: "compaction", content: "Everything so far, in short.", signature: "signed" }

const thought = { type: "thinking", thinking: "hm", signature: "bound" }
const turn = (n: number): ReadonlyArray<readonly ["user" | "assistant", Content]> => [
  ["user", `Question ${n}. ${"Never mind the details. ".repeat(40)}`],
  ["assistant", [thought, { type: "text", text: `Answer ${n}` }]]
]
const stored = (turns: number): ReadonlyArray<StoredMessage> =>
  Array.from({ length: turns }, (_, n) => turn(n))
    .flat()
    .map(([role, content], seq) => ({ seq, role, content, tokens: 0, createdAt: 0 }))

const withCompactor = (compact: HistoryCompactor["Service"]["compact"]) =>
  Summarizer.layerUpstream.pipe(
    Layer.provide(Layer.succeed(HistoryCompactor, { compact })),
    Layer.provide(layerPlainEstimator),
    Layer.provide(Settings.layerWith({}))
  )

const always = (s: Situation): Decision =>
  s.fullMessages > 4 || s.upperBound > s.limit
    ? { compact: true, reason: "a whim", savesNanoUsd: 0 }
    : { compact: false, reason: "small", savesNanoUsd: 0 }

const makeContext = (layout?: Layout.Layout, maxTokens = 50_000, policy = always) =>
  Effect.gen(function* () {
    const options = {
      conversation: "c",
      estimator: yield* TokenEstimator,
      summarizer: yield* Summarizer,
      catalog: yield* ModelCatalog,
      ...settingsOptions(yield* Settings),
      policy,
      maxTokens
    }
    return new ConversationContext(options, layout)
  }).pipe(
    Effect.provide(ModelCatalog.layerDefault),
    Effect.provideService(TokenEstimator, plainEstimator()),
    Effect.provide(Settings.layerWith({}))
  )

/** Lets the background fibers work off what they have. */
const settle = Effect.forEach(Array.from({ length: 30 }), () => Effect.yieldNow, { discard: true })

const legal = ({ cacheControl, messages, system }: PreparedContext): void =>
  assert.deepStrictEqual(
    validate({ model: shell.model, max_tokens: 1, messages, system: system ?? "", cache_control: cacheControl }),
    []
  )

describe("upstream condenses the history", () => {
  it.effect(
    "in the background: the request goes as it is, a later one opens with the block and keeps its thinking",
    () => {
      const asked: Array<CompactHistory> = []
      return Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        yield* Effect.gen(function* () {
          const context = yield* makeContext()
          const history = stored(6)
          context.append(history.slice(0, 9), shell.model)
          const first = yield* context.prepare(shell)
          assert.isUndefined(first.compaction)
          assert.include(first.decision.reason, "upstream is condensing")
          assert.strictEqual(first.messages.length, 9)

          context.append(history.slice(9, 11), shell.model)
          yield* Deferred.succeed(gate, undefined)
          yield* settle
          const second = yield* context.prepare(shell)
          assert.isDefined(second.compaction)
          assert.deepStrictEqual(second.messages[0], { role: "assistant", content: [block] })
          assert.deepStrictEqual(
            second.messages.slice(1).map((m) => JSON.stringify(m)),
            first.messages
              .slice(8)
              .concat(history.slice(9, 11).map(({ content, role }) => ({ role, content })))
              .map((m) => JSON.stringify(m))
          )
          assert.isTrue(second.messages.slice(1).some((m) => hasThinking(m.content)))
          assert.deepStrictEqual(second.betas, [compactionBeta])
          assert.deepStrictEqual(second.entries[0], {
            band: "old",
            from: 0,
            to: 8,
            tokens: second.entries[0]?.tokens ?? 0,
            segment: true,
            text: "Everything so far, in short."
          })
          legal(second)

          const [only] = asked
          assert.strictEqual(asked.length, 1)
          assert.deepStrictEqual(only?.messages, first.messages.slice(0, 8))
          assert.include(only?.instructions, "Never mind the details")

          const again = yield* makeContext(Layout.decode(Layout.encode(context.layout), []))
          again.append(history.slice(again.retainedFrom, 11), shell.model)
          assert.deepStrictEqual(again.preview(shell).messages, second.messages)
        }).pipe(
          Effect.provide(
            withCompactor((history) => {
              asked.push(history)
              return Effect.as(Deferred.await(gate), block)
            })
          )
        )
      })
    }
  )

  it.effect("what it fails at is extractive, and it is not asked again before the next turn", () => {
    let calls = 0
    return Effect.gen(function* () {
      const context = yield* makeContext()
      const history = stored(8)
      context.append(history.slice(0, 9), shell.model)
      yield* context.prepare(shell)
      yield* settle
      const second = yield* context.prepare(shell)
      assert.isDefined(second.compaction)
      assert.strictEqual(second.messages[0]?.role, "user")
      assert.deepStrictEqual(second.betas, [])
      assert.strictEqual(calls, 1)
    }).pipe(
      Effect.provide(
        withCompactor(() => {
          calls++
          return Effect.fail(new NotWritten({ reason: "overloaded" }))
        })
      )
    )
  })

  it.effect("is not asked for a history that ends in a call without its result", () => {
    const asked: Array<CompactHistory> = []
    return Effect.gen(function* () {
      const context = yield* makeContext()
      const history = stored(6).slice(0, 11)
      const interrupted = history.map((message) =>
        message.seq === 9
          ? { ...message, content: [{ type: "tool_use", id: "toolu_1", name: "Bash", input: {} }] }
          : message
      )
      context.append(interrupted, shell.model)
      yield* context.prepare(shell)
      yield* settle
      assert.deepStrictEqual(
        asked.map(({ messages }) => messages.length),
        [8]
      )
    }).pipe(
      Effect.provide(
        withCompactor((history) => {
          asked.push(history)
          return Effect.succeed(block)
        })
      )
    )
  })

  it.effect("a block that one model made is not sent to another", () => {
    const models: Array<string> = []
    return Effect.gen(function* () {
      const context = yield* makeContext()
      context.append(stored(8).slice(0, 9), shell.model)
      yield* context.prepare(shell)
      yield* settle
      const other = { ...shell, model: "claude-opus-5-5" }
      assert.deepStrictEqual((yield* context.prepare(other)).betas, [])
      yield* settle
      assert.deepStrictEqual((yield* context.prepare(other)).betas, [compactionBeta])
      assert.deepStrictEqual(models, [shell.model, other.model])
    }).pipe(
      Effect.provide(
        withCompactor((history) => {
          models.push(history.shell.model)
          return Effect.succeed(block)
        })
      )
    )
  })

  it.effect("a compactor that breaks counts as one that failed", () =>
    Effect.gen(function* () {
      const context = yield* makeContext()
      context.append(stored(8).slice(0, 9), shell.model)
      assert.isUndefined((yield* context.prepare(shell)).compaction)
      yield* settle
      assert.strictEqual((yield* context.prepare(shell)).messages[0]?.role, "user")
      assert.isAbove(context.layout.compactions, 0)
    }).pipe(Effect.provide(withCompactor(() => Effect.die(new Error("broken")))))
  )

  it.effect(
    "a request that would pass the ceiling does not wait for it, and a block that stands goes on as a segment",
    () =>
      Effect.gen(function* () {
        const context = yield* makeContext(
          { ...Layout.empty, upstream: { block, tokens: 10 }, boundary: 4 },
          2_500,
          (s) => ({ compact: s.upperBound > s.limit, reason: "the ceiling", savesNanoUsd: 0 })
        )
        const history = stored(20)
        context.append(history.slice(context.retainedFrom, 39), shell.model)
        const prepared = yield* context.prepare(shell)
        assert.isDefined(prepared.compaction)
        assert.isAtMost(prepared.upperBound, 2_500)
        assert.include(JSON.stringify(prepared.messages[0]), "Everything so far, in short.")
        assert.strictEqual(prepared.messages[0]?.role, "user")
        legal(prepared)
      }).pipe(Effect.provide(withCompactor(() => Effect.never)))
  )

  it.effect("a block that upstream refuses goes on as a segment, once, and thinking that was bound to it goes", () =>
    Effect.gen(function* () {
      const context = yield* makeContext({ ...Layout.empty, upstream: { block, tokens: 10 }, boundary: 4 })
      context.append(stored(4).slice(4, 7), shell.model)
      assert.isTrue(context.repair())
      const { betas, messages } = yield* context.prepare(shell)
      assert.deepStrictEqual(betas, [])
      assert.include(JSON.stringify(messages[0]), "Everything so far, in short.")
      assert.isFalse(messages.some((m) => hasThinking(m.content)))
      assert.isFalse(context.repair())
    }).pipe(Effect.provide(withCompactor(() => Effect.never)))
  )

  const numbers = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 }))).check(
    Schema.isMaxLength(120)
  )

  it.effect.prop(
    "keeps invariants 2 to 4 on generated histories, whenever it is ready or fails",
    [numbers, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))],
    ([ns, failures]) => {
      let n = 0
      const compact = () =>
        Effect.suspend(() =>
          ++n % 4 < failures ? Effect.fail(new NotWritten({ reason: "no" })) : Effect.succeed(block)
        )
      return Effect.gen(function* () {
        const context = yield* makeContext(undefined, 12_000)
        const history = historyOf(ns)
        let previous: ReadonlyArray<string> = []
        for (const point of requestPoints(history)) {
          context.append(history.slice(context.next, point), shell.model)
          const prepared = yield* context.prepare(shell)
          assert.isAtMost(prepared.upperBound, 12_000)
          legal(prepared)
          const now = prepared.messages.map((m) => JSON.stringify(m))
          if (prepared.compaction === undefined) assert.deepStrictEqual(now.slice(0, previous.length), previous)
          previous = now
          yield* settle
        }
      }).pipe(Effect.provide(withCompactor(compact)))
    },
    { arbitrary: { runs: 60 } }
  )
})
