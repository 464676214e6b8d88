import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Claude } from "../../src/claude/Claude.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { fromApi, promptTokens } from "../../src/domain/Usage.ts"
import { ask, marked, simulated, user, words } from "./simulatorSupport.ts"

const send = (request: MessagesRequest) => Claude.use((claude) => claude.send(request))
const usageOf = (request: MessagesRequest) => Effect.map(send(request), ({ message }) => fromApi(message.usage))
const assistant = (content: Message["content"]): Message => ({ role: "assistant", content })

const long = words(1_000)
const run = (effect: Effect.Effect<unknown, unknown, Claude>) => Effect.provide(effect, simulated())

describe("the simulator's prompt cache", () => {
  it.effect("writes at a breakpoint, then reads what was written", () =>
    run(
      Effect.gen(function* () {
        const request = ask([marked(long), { type: "text", text: "and?" }])
        const first = yield* usageOf(request)
        assert.strictEqual(first.cacheRead, 0)
        assert.isAbove(first.cacheWrite5m, 950)
        assert.isAbove(first.input, 0)
        const second = yield* usageOf(request)
        assert.deepStrictEqual(second, { ...first, cacheRead: first.cacheWrite5m, cacheWrite5m: 0 })
        const longer = yield* usageOf(ask([marked(long), marked("and more of it")]))
        assert.strictEqual(longer.cacheRead, first.cacheWrite5m)
        assert.isAbove(longer.cacheWrite5m, 0)
        assert.strictEqual(longer.input, 0)
      })
    )
  )

  it.effect("caches nothing below the model's minimum", () =>
    run(
      Effect.gen(function* () {
        const short = [marked(words(400))]
        assert.strictEqual((yield* usageOf(ask(short))).cacheWrite5m, 0)
        const middle = [marked(words(800))]
        assert.isAbove((yield* usageOf(ask(middle))).cacheWrite5m, 0)
        assert.strictEqual((yield* usageOf(ask(middle, { model: "claude-sonnet-5" }))).cacheWrite5m, 0)
      })
    )
  )

  it.effect("keeps five minutes or an hour, refreshed by every hit", () =>
    run(
      Effect.gen(function* () {
        const short = ask([marked(long)])
        const kept = ask([marked(`${long} kept`, "1h")])
        const written = yield* usageOf(kept)
        assert.deepStrictEqual([written.cacheWrite5m, written.cacheWrite1h > 950], [0, true])
        yield* usageOf(short)
        for (let n = 0; n < 3; n++) {
          yield* TestClock.adjust("4 minutes")
          assert.isAbove((yield* usageOf(short)).cacheRead, 0)
        }
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual((yield* usageOf(short)).cacheRead, 0)
        assert.isAbove((yield* usageOf(kept)).cacheRead, 0)
        yield* TestClock.adjust("60 minutes")
        assert.strictEqual((yield* usageOf(kept)).cacheRead, 0)
      })
    )
  )

  it.effect("refreshes what was read, though it is no longer marked", () =>
    run(
      Effect.gen(function* () {
        yield* usageOf(ask([marked(long)]))
        yield* TestClock.adjust("4 minutes")
        assert.isAbove((yield* usageOf(ask([{ type: "text", text: long }, marked("b")]))).cacheRead, 950)
        yield* TestClock.adjust("4 minutes")
        assert.isAbove((yield* usageOf(ask([marked(long), { type: "text", text: "c" }]))).cacheRead, 950)
      })
    )
  )

  it.effect("counts the lifetime from the start of the request, and serves only once the first response began", () =>
    Effect.gen(function* () {
      const request = ask([marked(long)])
      const both = yield* Effect.forkChild(Effect.all([usageOf(request), usageOf(request)], { concurrency: 2 }), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 minutes")
      const [first, second] = yield* Effect.flatMap(
        Effect.exit(Effect.suspend(() => both.pollUnsafe() ?? Effect.never)),
        (exit) => exit
      )
      assert.deepStrictEqual([first?.cacheRead, second?.cacheRead], [0, 0])
      assert.isAbove(second?.cacheWrite5m ?? 0, 0)
      yield* TestClock.adjust("179 seconds")
      const warm = yield* Effect.forkChild(usageOf(request), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      assert.isAbove((warm.pollUnsafe() as { value?: { cacheRead: number } } | undefined)?.value?.cacheRead ?? 0, 0)
      yield* TestClock.adjust("180 seconds")
      const cold = yield* Effect.forkChild(usageOf(request), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((cold.pollUnsafe() as { value?: { cacheRead: number } } | undefined)?.value?.cacheRead, 0)
    }).pipe(Effect.provide(simulated({ firstByte: "2 minutes" })))
  )

  it.effect("splits the bill between read, 1h write, 5m write and plain input", () =>
    run(
      Effect.gen(function* () {
        const extra = {
          system: [marked(`${long} system`, "1h")],
          tools: [{ name: "t", input_schema: {}, description: long }]
        }
        const request = ask([marked(`${long} message`), { type: "text", text: "?" }], extra)
        const cold = yield* usageOf(request)
        assert.isAbove(cold.cacheWrite1h, 1_950)
        assert.isAbove(cold.cacheWrite5m, 950)
        const other = yield* usageOf(ask([marked(`${long} other`), { type: "text", text: "?" }], extra))
        assert.strictEqual(other.cacheRead, cold.cacheWrite1h)
        assert.deepStrictEqual([other.cacheWrite1h, other.cacheWrite5m > 950], [0, true])
        assert.strictEqual(promptTokens(other), promptTokens(cold))
      })
    )
  )

  it.effect("follows an automatic breakpoint as the conversation grows", () =>
    run(
      Effect.gen(function* () {
        const auto = { cache_control: { type: "ephemeral" } }
        const first = yield* usageOf(ask(long, auto))
        const messages = [user(long), assistant("fine"), user("more")]
        const second = yield* usageOf({ ...ask("", auto), messages })
        assert.strictEqual(second.cacheRead, first.cacheWrite5m)
        assert.deepStrictEqual([second.input, second.cacheWrite5m > 0], [0, true])
      })
    )
  )

  it.effect("looks back twenty positions, a run of tool results being one", () =>
    run(
      Effect.gen(function* () {
        const texts = (n: number) => Array.from({ length: n }, (_, i) => ({ type: "text", text: `${i}` }))
        yield* usageOf(ask([marked(long)]))
        assert.isAbove((yield* usageOf(ask([marked(long), ...texts(18), marked("end")]))).cacheRead, 950)
        const other = `${long} other`
        yield* usageOf(ask([marked(other)]))
        const far = ask([{ type: "text", text: other }, ...texts(19), marked("end")])
        assert.strictEqual((yield* usageOf(far)).cacheRead, 0)
        const ids = Array.from({ length: 30 }, (_, i) => `id${i}`)
        yield* usageOf(ask([marked(`${long} tools`)]))
        const tools = yield* usageOf({
          ...ask(""),
          messages: [
            user([{ type: "text", text: `${long} tools` }]),
            assistant(ids.map((id) => ({ type: "tool_use", id, name: "t", input: {} }))),
            user([...ids.map((id) => ({ type: "tool_result", tool_use_id: id })), marked("end")])
          ]
        })
        assert.isAbove(tools.cacheRead, 950)
      })
    )
  )

  it.effect("is lost by what upstream says loses it, and by nothing else", () =>
    run(
      Effect.gen(function* () {
        const tool = { name: "t", input_schema: {}, description: long }
        const base = ask([marked(long)], { system: [marked(long)], tools: [tool] })
        const all = (yield* usageOf(base)).cacheWrite5m
        const read = (change: Partial<MessagesRequest>) =>
          Effect.map(usageOf({ ...base, ...change }), (usage) => Math.round(usage.cacheRead / 1_000))
        assert.strictEqual((yield* usageOf(base)).cacheRead, all)
        const withoutMarker = { ...tool, cache_control: { type: "ephemeral" } }
        assert.strictEqual(yield* read({ tools: [withoutMarker] }), 3)
        assert.strictEqual(yield* read({ max_tokens: 5, metadata: { user_id: "u" } }), 3)
        assert.strictEqual(yield* read({ tool_choice: { type: "none" } }), 2)
        assert.strictEqual(yield* read({ system: [marked(`${long}!`)] }), 1)
        assert.strictEqual(yield* read({ tools: [{ ...tool, description: "changed" }] }), 0)
        assert.strictEqual(yield* read({ model: "claude-opus-5-5" }), 0)
      })
    )
  )
})
