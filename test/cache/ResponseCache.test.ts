import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { bytesOf } from "../../src/cache/AnswerStore.ts"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import type { AssistantMessage } from "../../src/domain/MessagesRequest.ts"
import { Events } from "../../src/events/Events.ts"
import { Settings } from "../../src/Settings.ts"
import { answer, request, user } from "./requests.ts"

const hour = { ttlMillis: 3_600_000, maxBytes: 1_000_000 }
const memory = Effect.provide(ResponseCache.layerMemory(hour))
const long = (label: string) => answer({ content: [{ type: "text", text: label.repeat(2000) }] })

describe("lookup and store", () => {
  it.effect("gives back what was stored, and counts", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const key = cache.key(request(), "t")
      assert.isTrue(Option.isNone(yield* cache.lookup(key)))
      assert.isTrue(yield* cache.store(key, answer()))
      assert.deepStrictEqual(yield* cache.lookup(key), Option.some(answer()))
      assert.isTrue(Option.isNone(yield* cache.lookup(cache.key(request(), "other tenant"))))
      const stats = yield* cache.stats
      assert.deepInclude(stats, { enabled: true, entries: 1, hits: 1, misses: 2, hitRate: 1 / 3, evictions: 0 })
      assert.strictEqual(stats.bytes, bytesOf(JSON.stringify(answer())))
    }).pipe(memory)
  )

  it.effect("an answer that a caller changes stays as it was stored", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const mine = { ...answer(), model: "claude-sonnet-5-5" }
      yield* cache.store("k", mine)
      mine.model = "changed"
      const first = Option.getOrThrow(yield* cache.lookup("k"))
      Object.assign(first, { model: "changed too" })
      assert.strictEqual(Option.getOrThrow(yield* cache.lookup("k")).model, "claude-sonnet-5-5")
    }).pipe(memory)
  )

  const refused: Record<string, AssistantMessage> = {
    "cut off by max_tokens": answer({ stop_reason: "max_tokens" }),
    "cut off by the window": answer({ stop_reason: "model_context_window_exceeded" }),
    "a broken stream": answer({ stop_reason: null }),
    "a refusal": answer({ stop_reason: "refusal" }),
    "a pause": answer({ stop_reason: "pause_turn" }),
    "an unknown ending": answer({ stop_reason: "from_the_future" }),
    "no content": answer({ content: [] }),
    "a tool call": answer({ stop_reason: "tool_use", content: [{ type: "tool_use", id: "a", name: "b", input: {} }] }),
    "a tool call that ended otherwise": answer({ content: [{ type: "tool_use", id: "a", name: "b", input: {} }] }),
    "a search that upstream ran": answer({
      content: [{ type: "server_tool_use", id: "a", name: "web_search", input: {} }]
    }),
    "what cannot be written as JSON": answer({ huge: 1n })
  }
  for (const [what, message] of Object.entries(refused)) {
    it.effect(`never stores ${what}`, () =>
      Effect.gen(function* () {
        const cache = yield* ResponseCache
        assert.isFalse(yield* cache.store("k", message))
        assert.isTrue(Option.isNone(yield* cache.lookup("k")))
      }).pipe(memory)
    )
  }

  it.effect("stores tool calls where that is allowed", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      assert.isTrue(yield* cache.store("k", refused["a tool call"] ?? answer()))
      assert.isFalse(yield* cache.store("l", answer({ stop_reason: "max_tokens" })))
    }).pipe(Effect.provide(ResponseCache.layerMemory({ ...hour, toolCalls: true })))
  )

  it.effect("a request without a name is never cached and never counted", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const circle: Record<string, unknown> = {}
      circle.self = circle
      assert.strictEqual(cache.key(request({ metadata: circle }), "t"), "")
      assert.isFalse(yield* cache.store("", answer()))
      assert.isTrue(Option.isNone(yield* cache.lookup("")))
      assert.strictEqual((yield* cache.stats).misses, 0)
    }).pipe(memory)
  )
})

describe("bounds", () => {
  it.effect("an entry lives as long as its TTL, by the clock, from the clock's zero on", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      yield* cache.store("k", answer())
      yield* TestClock.adjust("60 minutes")
      assert.isTrue(Option.isSome(yield* cache.lookup("k")))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Option.isNone(yield* cache.lookup("k")))
      assert.deepInclude(yield* cache.stats, { entries: 0, bytes: 0, expirations: 1, evictions: 0 })
    }).pipe(memory)
  )

  it.effect("what is too old goes without being asked for", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      for (let i = 0; i < 10; i++) yield* cache.store(`k${i}`, answer())
      yield* TestClock.adjust("62 minutes")
      assert.deepInclude(yield* cache.stats, { entries: 0, bytes: 0, expirations: 10 })
    }).pipe(memory)
  )

  it.effect("beyond the bytes the least recently used goes first", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      for (const key of ["a", "b", "c"]) assert.isTrue(yield* cache.store(key, long(key)))
      yield* cache.lookup("a")
      assert.isTrue(yield* cache.store("d", long("d")))
      const kept = yield* Effect.filter(["a", "b", "c", "d"], (key) => Effect.map(cache.lookup(key), Option.isSome))
      assert.deepStrictEqual(kept, ["a", "c", "d"])
      const stats = yield* cache.stats
      assert.strictEqual(stats.evictions, 1)
      assert.isAtMost(stats.bytes, stats.maxBytes)
    }).pipe(Effect.provide(ResponseCache.layerMemory({ ttlMillis: 1000, maxBytes: 8000 })))
  )

  it.effect("an answer larger than the whole cache is not stored and drives nothing out", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      yield* cache.store("small", answer())
      assert.isFalse(yield* cache.store("large", long("xxxx")))
      assert.isTrue(Option.isSome(yield* cache.lookup("small")))
    }).pipe(Effect.provide(ResponseCache.layerMemory({ ttlMillis: 1000, maxBytes: 8000.5 })))
  )

  it("a text beyond Latin-1 counts two bytes a character", () => {
    assert.strictEqual(bytesOf("ab€") - bytesOf(""), 6)
    assert.strictEqual(bytesOf("abü\n") - bytesOf(""), 4)
  })
})

describe("clear and warm", () => {
  it.effect("warm stores what is safe, clear drops it all", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const pairs = [
        { request: request(), tenant: "t", answer: answer() },
        { request: request({ messages: [user("again")] }), tenant: "t", answer: answer({ stop_reason: "refusal" }) }
      ]
      assert.strictEqual(yield* cache.warm(pairs), 1)
      assert.isTrue(Option.isSome(yield* cache.lookup(cache.key(request(), "t"))))
      assert.strictEqual(yield* cache.clear, 1)
      assert.deepInclude(yield* cache.stats, { entries: 0, bytes: 0, evictions: 0 })
    }).pipe(memory)
  )
})

const settings = (responseCache: boolean) =>
  Settings.layerWith({ enabled: { responseCache }, cacheTtlMinutes: 5, cacheMaxSizeMb: 2 })

describe("layers", () => {
  it.effect("layer takes its bounds from Settings and tells of a clear", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const events = yield* Events
      yield* cache.store("k", answer())
      yield* cache.clear
      assert.deepInclude(yield* cache.stats, { ttlMillis: 300_000, maxBytes: 2_097_152 })
      const published = (yield* events.recent).map(({ event }) => event)
      assert.deepStrictEqual(published, [{ _tag: "CacheCleared", entries: 1 }])
    }).pipe(Effect.provide(ResponseCache.layer.pipe(Layer.provideMerge([settings(true), Events.layerTest]))))
  )

  it.effect("switched off, nothing is stored, found or shared", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      assert.isFalse(cache.enabled)
      assert.isFalse(yield* cache.store(cache.key(request(), "t"), answer()))
      assert.isTrue(Option.isNone(yield* cache.lookup(cache.key(request(), "t"))))
      let calls = 0
      const lead = Effect.sync(() => ++calls).pipe(Effect.tap(Effect.yieldNow))
      const both = Effect.all([cache.coalesce("k", lead), cache.coalesce("k", lead)], { concurrency: 2 })
      assert.deepStrictEqual(
        (yield* both).map(({ value }) => value),
        [1, 2]
      )
      const opened = yield* cache.coalesceStream("k", Effect.succeed({ head: 1, events: Stream.make(1, 2) }))
      assert.deepStrictEqual(yield* Stream.runCollect(opened.events), [1, 2])
      assert.deepInclude(yield* cache.stats, { enabled: false, entries: 0, coalesced: 0 })
    }).pipe(Effect.provide(ResponseCache.layer.pipe(Layer.provide([settings(false), Events.layerTest]))))
  )
})
