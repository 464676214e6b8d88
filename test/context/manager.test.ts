import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo, type NewMessage } from "../../src/chat/ChatRepo.ts"
import { ContextManager, type PreparedContext, type Shell } from "../../src/context/ContextManager.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { Event } from "../../src/domain/Event.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { layerPlainEstimator } from "../support/estimator.ts"
import { historyOf } from "../support/history.ts"

const settings = Settings.layerWith({ maxContextTokens: 6_000, recentMessagesFull: 10, midRangeMessages: 30 })

const published: Array<Event> = []
const collecting = Layer.mock(Events, { publish: (event) => Effect.sync(() => void published.push(event)) })

const manager = ContextManager.layer.pipe(
  Layer.provide(Summarizer.layer),
  Layer.provide(layerPlainEstimator),
  Layer.provide(collecting),
  Layer.provide(ModelCatalog.layerDefault),
  Layer.provide(settings)
)

const shell: Shell = { model: "claude-opus-4-6", system: "You orchestrate." }
const bytes = (prepared: PreparedContext) => prepared.messages.map((m) => JSON.stringify(m))

const messages: ReadonlyArray<NewMessage> = historyOf(Array.from({ length: 120 }, (_, i) => i * 31 + 7)).map(
  ({ content, role }) => ({ role, content, tokens: 0 })
)

/** Appends what is given up to the next point where the user has spoken, and prepares there. */
const feed = Effect.fnUntraced(function* (id: string, from: number, to: number) {
  const repo = yield* ChatRepo
  const context = yield* ContextManager
  let prepared: PreparedContext | undefined
  for (let i = from; i < to; i++) {
    const message = messages[i]
    if (message === undefined) break
    yield* repo.append(id, [message])
    if (message.role === "user") prepared = yield* context.prepare(id, shell)
  }
  assert.isDefined(prepared)
  return prepared as PreparedContext
})

describe("ContextManager", () => {
  it.effect("prepares the same bytes after a restart", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      const before = yield* Effect.provide(feed(id, 0, 149), Layer.fresh(manager))
      assert.isNotNull(yield* repo.layout(id))
      assert.isNotEmpty(yield* repo.segments(id))
      const after = yield* Effect.provide(
        ContextManager.use((context) => context.prepare(id, shell)),
        Layer.fresh(manager)
      )
      assert.deepStrictEqual(bytes(after), bytes(before))
      assert.strictEqual(after.rawMessages, before.rawMessages)
      assert.strictEqual(after.rawTokens, before.rawTokens)
      assert.isUndefined(after.compaction)
    }).pipe(Effect.provide(ChatRepo.layerMemory))
  )

  it.effect("reports a compaction once, with what it saved", () =>
    Effect.gen(function* () {
      published.length = 0
      const { id } = yield* (yield* ChatRepo).create({})
      yield* feed(id, 0, 150)
      const compactions = published.filter((event) => event._tag === "Compaction")
      assert.isNotEmpty(compactions)
      for (const event of compactions) {
        assert.isBelow(event.tokensAfter, event.tokensBefore)
        assert.notStrictEqual(event.cause, "other")
      }
      const stats = yield* (yield* ContextManager).stats(id)
      assert.strictEqual(stats.compactions, compactions.length)
      assert.isAbove(stats.reduction, 0.3)
      assert.isAtMost(stats.percentOfLimit, 100)
    }).pipe(Effect.provide(Layer.provideMerge(manager, ChatRepo.layerMemory)))
  )

  it.effect("starts anew when the stored layout is unreadable, and loses nothing", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* Effect.provide(feed(id, 0, 100), Layer.fresh(manager))
      yield* repo.saveLayout(id, "{ not a layout")
      const prepared = yield* Effect.provide(
        ContextManager.use((context) => context.prepare(id, shell)),
        Layer.fresh(manager)
      )
      assert.strictEqual(prepared.entries[0]?.from, 0)
      assert.deepStrictEqual(validate({ model: shell.model, messages: prepared.messages }), [])
    }).pipe(Effect.provide(ChatRepo.layerMemory))
  )

  it.effect("says which message cannot fit, and that a shell may be too large", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const context = yield* ContextManager
      const { id } = yield* repo.create({})
      yield* repo.append(id, [{ role: "user", content: "hello", tokens: 0 }])
      const error = yield* Effect.flip(context.prepare(id, { ...shell, system: "x".repeat(30_000) }))
      assert.strictEqual(error._tag, "ContextTooLarge")
      assert.include(error.message, "MAX_CONTEXT_TOKENS")
    }).pipe(Effect.provide(Layer.provideMerge(manager, ChatRepo.layerMemory)))
  )

  it.effect("cuts one huge message to head and tail instead of refusing it", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, [{ role: "user", content: `START ${"x ".repeat(100_000)} END`, tokens: 0 }])
      const prepared = yield* (yield* ContextManager).prepare(id, shell)
      const [text] = bytes(prepared)
      assert.isAtMost(prepared.upperBound, 6_000)
      assert.include(text, "START")
      assert.include(text, "END")
      assert.include(text, "characters cut")
    }).pipe(Effect.provide(Layer.provideMerge(manager, ChatRepo.layerMemory)))
  )

  it.effect("warns once when system and tools alone take half of the limit", () =>
    Effect.gen(function* () {
      published.length = 0
      const repo = yield* ChatRepo
      const context = yield* ContextManager
      const { id } = yield* repo.create({})
      yield* repo.append(id, [{ role: "user", content: "hello", tokens: 0 }])
      const heavy = { ...shell, system: "x".repeat(10_000) }
      yield* context.prepare(id, heavy)
      yield* context.prepare(id, heavy)
      assert.strictEqual(published.filter((event) => event._tag === "AlertRaised").length, 1)
    }).pipe(Effect.provide(Layer.provideMerge(manager, ChatRepo.layerMemory)))
  )

  it.effect("switched off, sends the history as it is stored, and mends only what upstream refuses", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const said = [
        { role: "user", content: "hello", tokens: 0 },
        { role: "user", content: [{ type: "text", text: "there", cache_control: { type: "ephemeral" } }], tokens: 0 },
        { role: "assistant", content: "hi", tokens: 0 }
      ] as const
      const plain = (yield* repo.create({})).id
      yield* repo.append(plain, said)
      const prepared = yield* (yield* ContextManager).prepare(plain, shell)
      assert.deepStrictEqual(
        prepared.messages,
        said.map(({ content, role }) => ({ role, content }))
      )
      assert.isUndefined(prepared.cacheControl)
      const broken = (yield* repo.create({})).id
      yield* repo.append(broken, messages)
      const mended = yield* (yield* ContextManager).prepare(broken, shell)
      assert.deepStrictEqual(validate({ model: shell.model, messages: mended.messages }), [])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          ContextManager.layerOff.pipe(Layer.provide(layerPlainEstimator), Layer.provide(settings)),
          ChatRepo.layerMemory
        )
      )
    )
  )

  it.effect("pins a message from the next compaction on, also across a restart", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, [{ role: "user", content: "The password hint is PURPLE ELEPHANT.", tokens: 0 }])
      const before = yield* Effect.provide(feed(id, 0, 20), Layer.fresh(manager))
      yield* Effect.provide(
        ContextManager.use((context) => context.pin(id, 0)),
        Layer.fresh(manager)
      )
      const after = yield* Effect.provide(feed(id, 20, 149), Layer.fresh(manager))
      assert.isDefined(before)
      assert.include(bytes(after).join("\n"), "message 0: The password hint is PURPLE ELEPHANT.")
    }).pipe(Effect.provide(ChatRepo.layerMemory))
  )

  it.effect("trims a stateless request where a turn starts, newest turns first", () =>
    Effect.gen(function* () {
      const context = yield* ContextManager
      const turns = Array.from({ length: 40 }, (_, i) => [
        { role: "user" as const, content: `question ${i} ${"x".repeat(600)}` },
        { role: "assistant" as const, content: `answer ${i}` }
      ]).flat()
      const request = {
        model: shell.model,
        max_tokens: 10,
        messages: [...turns, { role: "user" as const, content: "last" }]
      }
      const trimmed = yield* context.trimToLimit(request, 3_000)
      assert.strictEqual(trimmed.messages[0]?.role, "user")
      assert.isBelow(trimmed.messages.length, request.messages.length)
      assert.isAbove(trimmed.messages.length, 10)
      assert.strictEqual(trimmed.messages.at(-1), request.messages.at(-1))
      assert.strictEqual(yield* context.trimToLimit(request, 100_000), request)
      const error = yield* Effect.flip(context.trimToLimit(request, 1))
      assert.strictEqual(error._tag, "ContextTooLarge")
    }).pipe(Effect.provide(Layer.provideMerge(manager, ChatRepo.layerMemory)))
  )
})
