import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ClaudeError, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { messageEvents } from "../../src/testing/simulator/MessageEvents.ts"
import { answer, balance, balanced, makeWorld, published, request } from "./world.ts"

const cut = new ClaudeError({ reason: new StreamBroken({ detail: "cut", body: null }) })

const block = { type: "compaction", content: "Summary", encrypted_content: null, signature: "s", tool_changes: [] }
const iteration = { type: "compaction", input_tokens: 40, cache_read_input_tokens: 9_000, output_tokens: 300 }
const compacted = () =>
  answer("", {
    content: [block],
    stop_reason: "compaction",
    usage: { input_tokens: 0, output_tokens: 0, iterations: [iteration] }
  })
const spent = { input: 40, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 9_000, output: 300 }
const asked = request("a long history ".repeat(200), { compaction: { type: "summarize" } })

const open = Governor.use((governor) => governor.stream(asked, defaultCaller))

describe("an answer that is a compaction", () => {
  it.effect("is settled by its iterations everywhere, and teaches nobody what prompts cost", () => {
    const world = makeWorld()
    world.upstream.reply = compacted
    return Effect.gen(function* () {
      const governor = yield* Governor
      const { settlement } = yield* governor.run(asked, defaultCaller)
      assert.deepStrictEqual(settlement.usage, spent)
      assert.deepStrictEqual(world.limits.settled, [spent])
      assert.deepStrictEqual(world.books.settled[0]?.usage, spent)
      assert.deepInclude((yield* published)[0], { _tag: "Usage", usage: spent })
      assert.notInclude(world.steps.log, "estimator.observe")
      assert.notInclude(world.steps.log, "cache.lookup")
      assert.notInclude(world.steps.log, "cache.store")
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("streamed, is the same", () => {
    const world = makeWorld()
    world.upstream.reply = () => ({ events: messageEvents(compacted()) })
    return Effect.scoped(
      Effect.gen(function* () {
        const stream = yield* open
        yield* Stream.runDrain(stream.events)
        const settlement = yield* stream.settlement
        assert.deepStrictEqual(settlement.usage, spent)
        assert.isFalse(settlement.partial)
        assert.notInclude(world.steps.log, "estimator.observe")
        assert.deepStrictEqual(balance(world), balanced)
      })
    ).pipe(Effect.provide(world.layer))
  })

  for (const until of ["message_start", "content_block_stop"]) {
    it.effect(`cut behind ${until}, before upstream said what it cost, it is booked by the estimate`, () => {
      const world = makeWorld()
      const all: ReadonlyArray<StreamEvent> = messageEvents(compacted())
      const events = all.slice(0, all.findIndex(({ type }) => type === until) + 1)
      world.upstream.reply = () => ({ events, cut })
      return Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* open
          yield* Effect.ignore(Stream.runDrain(stream.events))
          const { partial, usage } = yield* stream.settlement
          assert.isTrue(partial)
          assert.strictEqual(usage.input, world.limits.reserved[0]?.inputTokens)
          assert.isAbove(usage.output, 0)
          assert.deepStrictEqual(balance(world), balanced)
        })
      ).pipe(Effect.provide(world.layer))
    })
  }
})

describe("an answer with a compaction at a threshold before it", () => {
  it.effect("pays for both, and teaches only the prompt that was answered", () => {
    const world = makeWorld()
    world.upstream.reply = () =>
      answer("on", {
        usage: {
          input_tokens: 7,
          output_tokens: 2,
          iterations: [iteration, { type: "message", input_tokens: 7, output_tokens: 2 }]
        }
      })
    return Effect.gen(function* () {
      const governor = yield* Governor
      const { settlement } = yield* governor.run(request("x"), defaultCaller)
      assert.deepStrictEqual(settlement.usage, { ...spent, input: 47, output: 302 })
      assert.deepStrictEqual(world.limits.settled, [settlement.usage])
      assert.include(world.steps.log, "estimator.observe")
    }).pipe(Effect.provide(world.layer))
  })
})
