import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { ContextManager, type PreparedContext, type Shell } from "../../src/context/ContextManager.ts"
import * as Layout from "../../src/context/Layout.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { layerPlainEstimator } from "../support/estimator.ts"
import { historyOf } from "../support/history.ts"

const shell: Shell = { model: "claude-opus-4-6", system: "You orchestrate." }
const messages = historyOf(Array.from({ length: 120 }, (_, i) => i * 31 + 7)).map(({ content, role }) => ({
  role,
  content,
  tokens: 0
}))

/** A process of its own, whose summaries say what it was told: a model never says the same twice. */
const processThatSays = (text: string) =>
  Layer.fresh(
    ContextManager.layer.pipe(
      Layer.provide(
        Layer.mock(Summarizer, {
          summarize: ({ messages: [first] }) => Effect.succeed({ text: `${text} ${first?.seq}`, tokens: 20 }),
          merge: () => Effect.succeed({ text, tokens: 20 }),
          ahead: () => Effect.void,
          costNanoUsd: () => 0
        })
      ),
      Layer.provide(layerPlainEstimator),
      Layer.provide(Layer.mock(Events, { publish: () => Effect.void })),
      Layer.provide(ModelCatalog.layerDefault),
      Layer.provide(Settings.layerWith({ maxContextTokens: 6_000, recentMessagesFull: 10, midRangeMessages: 30 }))
    )
  )

const prepareIn = (process: Layer.Layer<ContextManager, never, ChatRepo>, id: string) =>
  Effect.provide(
    ContextManager.use((context) => context.prepare(id, shell)),
    process
  )

const bytes = (prepared: PreparedContext) => prepared.messages.map((message) => JSON.stringify(message))

describe("a conversation whose process ends, or that has two", () => {
  it.effect("killed between storing segments and the layout: what was sent afterwards is sent again", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, messages)
      const killed = Layer.succeed(ChatRepo, { ...repo, saveLayout: () => Effect.never })
      yield* Effect.forkScoped(Effect.provide(prepareIn(processThatSays("First"), id), killed))
      yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow)
      assert.isNotEmpty(yield* repo.segments(id))
      assert.isNull(yield* repo.layout(id))
      const sent = yield* prepareIn(processThatSays("Second"), id)
      const again = yield* prepareIn(processThatSays("Third"), id)
      assert.isUndefined(again.compaction)
      assert.deepStrictEqual(bytes(again), bytes(sent))
    }).pipe(Effect.provide(ChatRepo.layerMemory), Effect.scoped)
  )

  it.effect("is taken up again with what its layout names: not with all that was ever made of it", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      for (const [n, message] of messages.entries()) {
        yield* repo.append(id, [message])
        if (message.role === "user" && n % 5 === 0) yield* prepareIn(processThatSays(`${n}`), id)
      }
      const read: Array<number> = []
      const counting = Layer.succeed(ChatRepo, {
        ...repo,
        segments: (...asked) =>
          Effect.tap(repo.segments(...asked), ({ length }) => Effect.sync(() => read.push(length)))
      })
      const named = Layout.hashesIn((yield* repo.layout(id)) ?? "")
      yield* Effect.provide(prepareIn(processThatSays("last"), id), counting)
      assert.deepStrictEqual(read, [named.length])
      assert.isAbove((yield* repo.segments(id)).length, named.length)
    }).pipe(Effect.provide(ChatRepo.layerMemory))
  )

  it.effect("two processes that condense it each: the one that stored its layout last is found again", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, messages.slice(0, 3))
      yield* Effect.gen(function* () {
        const [one, two] = [yield* Layer.build(processThatSays("One")), yield* Layer.build(processThatSays("Two"))]
        yield* prepareIn(Layer.succeedContext(one), id)
        yield* prepareIn(Layer.succeedContext(two), id)
        yield* repo.append(id, messages.slice(3))
        yield* prepareIn(Layer.succeedContext(one), id)
        const sent = yield* prepareIn(Layer.succeedContext(two), id)
        assert.deepStrictEqual(bytes(yield* prepareIn(processThatSays("Three"), id)), bytes(sent))
      }).pipe(Effect.scoped)
    }).pipe(Effect.provide(ChatRepo.layerMemory))
  )
})
