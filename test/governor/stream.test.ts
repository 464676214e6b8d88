import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { ClaudeError, Overloaded, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { answer, balance, balanced, makeWorld, published, request } from "./world.ts"

const cut = new ClaudeError({ reason: new StreamBroken({ detail: "cut", body: null }) })
const overloaded = new ClaudeError({
  reason: new Overloaded({ status: 529, body: {}, headers: {}, requestId: null, retryAfterMillis: null })
})

const play = (text: string, options = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const governor = yield* Governor
      const stream = yield* governor.stream(request(text), defaultCaller, options)
      const events = yield* Stream.runCollect(stream.events)
      return { events, settlement: yield* stream.settlement, cache: stream.cache }
    })
  )

const usage = (output_tokens: number) => ({ input_tokens: 100, cache_read_input_tokens: 50, output_tokens })

describe("Governor.stream", () => {
  for (const cache of ["on", "off"] as const) {
    it.effect(`passes events as they are, unknown ones too, and settles once (cache ${cache})`, () => {
      const world = makeWorld()
      return Effect.gen(function* () {
        const whole = replayEvents(answer("hi there", { usage: usage(12) }))
        const odd: StreamEvent = { type: "something_new", with: [1, 2] }
        const events = [...whole.slice(0, 3), { type: "ping" }, odd, ...whole.slice(3)]
        world.upstream.reply = () => ({ events })
        const played = yield* play("x", { cache })
        assert.deepStrictEqual(played.events, events)
        assert.deepStrictEqual(played.settlement.usage, {
          input: 100,
          cacheWrite5m: 0,
          cacheWrite1h: 0,
          cacheRead: 50,
          output: 12
        })
        assert.isFalse(played.settlement.partial)
        assert.strictEqual(world.upstream.aborted, 0)
        assert.deepStrictEqual(balance(world), balanced)
        // An answer with something unknown in it is not replayed to others.
        yield* play("x")
        assert.strictEqual(world.upstream.requests.length, 2)
      }).pipe(Effect.provide(world.layer))
    })

    it.effect(`the books are closed before the last event goes out (cache ${cache})`, () => {
      const world = makeWorld()
      return Effect.gen(function* () {
        const governor = yield* Governor
        const stream = yield* governor.stream(request("x"), defaultCaller, { cache })
        const settledAtStop: Array<number> = []
        yield* Stream.runForEach(stream.events, (event) =>
          Effect.sync(() => event.type === "message_stop" && settledAtStop.push(world.books.settled.length))
        )
        assert.deepStrictEqual(settledAtStop, [1])
      }).pipe(Effect.scoped, Effect.provide(world.layer))
    })

    it.effect(
      `a client that goes away mid-stream aborts upstream at once and pays what was received (cache ${cache})`,
      () => {
        const world = makeWorld()
        return Effect.gen(function* () {
          const governor = yield* Governor
          world.upstream.reply = () => answer("x".repeat(300), { usage: usage(90) })
          const held = world.steps.hold("claude.content_block_stop")
          const scope = yield* Scope.make()
          const stream = yield* Scope.provide(governor.stream(request("x"), defaultCaller, { cache }), scope)
          const reader = yield* Effect.forkChild(Stream.runDrain(stream.events))
          yield* held.reached
          yield* Fiber.interrupt(reader)
          yield* Scope.close(scope, Exit.void)
          const settlement = yield* stream.settlement
          assert.strictEqual(world.upstream.aborted, 1)
          assert.isTrue(settlement.partial)
          // 300 characters at three a token; upstream's own stub said 1.
          assert.deepInclude(settlement.usage, { input: 100, cacheRead: 50, output: 100 })
          assert.deepStrictEqual(balance(world), balanced)
          const event = (yield* published).at(-1)
          assert.deepInclude(event, { _tag: "Usage", status: "partial" })
        }).pipe(Effect.provide(world.layer))
      }
    )

    it.effect(
      `who leaves before message_start is followed until upstream has said what the prompt costs (cache ${cache})`,
      () => {
        const world = makeWorld()
        return Effect.gen(function* () {
          const governor = yield* Governor
          world.upstream.reply = () => answer("long answer", { usage: usage(90) })
          const held = world.steps.hold("claude.message_start")
          const fiber = yield* Effect.forkChild(Effect.scoped(governor.stream(request("x"), defaultCaller, { cache })))
          yield* held.reached
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(world.books.settled.length, 0)
          held.release()
          yield* Effect.yieldNow
          yield* Effect.yieldNow
          assert.strictEqual(world.upstream.aborted, 1)
          assert.deepInclude(world.books.settled[0], { partial: true })
          assert.deepInclude(world.books.settled[0]?.usage, { input: 100, cacheRead: 50, output: 1 })
          assert.deepStrictEqual(balance(world), balanced)
        }).pipe(Effect.provide(world.layer))
      }
    )

    it.effect(`a stream that is cut fails, and is booked as partial (cache ${cache})`, () => {
      const world = makeWorld()
      return Effect.gen(function* () {
        world.upstream.reply = () => ({ events: replayEvents(answer("abcdef", { usage: usage(9) })).slice(0, 3), cut })
        const error = yield* Effect.flip(play("x", { cache }))
        assert.strictEqual(error, cut)
        assert.deepInclude(world.books.settled[0], { partial: true })
        assert.deepInclude(world.books.settled[0]?.usage, { input: 100, output: 2 })
        assert.deepStrictEqual(balance(world), balanced)
      }).pipe(Effect.provide(world.layer))
    })

    it.effect(`a refused opening costs nothing; one that broke after 200 may have been billed (cache ${cache})`, () => {
      const world = makeWorld()
      return Effect.gen(function* () {
        world.upstream.reply = () => overloaded
        assert.strictEqual(yield* Effect.flip(play("x", { cache })), overloaded)
        assert.deepStrictEqual([world.books.settled.length, world.books.released.length], [0, 1])
        world.upstream.reply = () => ({ events: [{ type: "ping" }], cut })
        assert.strictEqual(yield* Effect.flip(play("x", { cache })), cut)
        assert.deepInclude(world.books.settled[0], { partial: true })
        assert.strictEqual(world.books.settled[0]?.usage.output, 0)
        assert.deepStrictEqual([world.books.open.size, world.limits.open.size], [0, 0])
      }).pipe(Effect.provide(world.layer))
    })
  }

  it.effect("taking only the beginning settles it (uncached)", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const stream = yield* governor.stream(request("x"), defaultCaller, { cache: "off" })
      yield* Stream.runDrain(Stream.take(stream.events, 2))
      const settlement = yield* stream.settlement
      assert.isTrue(settlement.partial)
      assert.strictEqual(world.upstream.aborted, 1)
    }).pipe(Effect.scoped, Effect.provide(world.layer))
  })

  it.effect("pulls nothing that nobody asked for (uncached)", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const stream = yield* governor.stream(request("x"), defaultCaller, { cache: "off" })
      const pull = yield* Stream.toPull(stream.events)
      for (const type of ["message_start", "content_block_start", "content_block_delta"]) {
        const chunk = yield* pull
        assert.deepStrictEqual(
          chunk.map((event) => event.type),
          [type]
        )
        assert.strictEqual(
          world.steps.log.findLast((step) => step.startsWith("claude.")),
          `claude.${type}`
        )
      }
    }).pipe(Effect.scoped, Effect.provide(world.layer))
  })

  it.effect("a whole answer is replayed as a stream, and a streamed one answers run", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const { message } = yield* governor.run(request("a"), defaultCaller)
      const replayed = yield* play("a")
      assert.strictEqual(replayed.cache, "hit")
      assert.deepStrictEqual(replayed.events, replayEvents(message))
      const streamed = yield* play("b")
      const whole = yield* governor.run(request("b"), defaultCaller)
      assert.strictEqual(whole.settlement.cache, "hit")
      assert.deepStrictEqual(replayEvents(whole.message), streamed.events)
      assert.strictEqual(world.upstream.requests.length, 2)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("identical streams share one call; late ones hear it from the start; run joins too", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const held = world.steps.hold("claude.message_delta")
      const first = yield* Effect.forkChild(play("same"), { startImmediately: true })
      yield* held.reached
      const second = yield* Effect.forkChild(play("same"), { startImmediately: true })
      const third = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      held.release()
      const [a, b, c] = [yield* Fiber.join(first), yield* Fiber.join(second), yield* Fiber.join(third)]
      assert.deepStrictEqual(b.events, a.events)
      assert.deepStrictEqual(replayEvents(c.message), a.events)
      assert.deepStrictEqual([a.cache, b.cache, c.settlement.cache], ["miss", "coalesced", "coalesced"])
      assert.strictEqual(b.settlement.savedNanoUsd, a.settlement.costNanoUsd)
      assert.strictEqual(world.books.saved.length, 2)
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("a stream joins an identical whole answer in flight", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const held = world.steps.hold("claude.answering")
      const first = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      yield* held.reached
      const second = yield* Effect.forkChild(play("same"), { startImmediately: true })
      held.release()
      const { message } = yield* Fiber.join(first)
      const { cache, events } = yield* Fiber.join(second)
      assert.deepStrictEqual(events, replayEvents(message))
      assert.strictEqual(cache, "coalesced")
      assert.strictEqual(world.upstream.requests.length, 1)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("when the one who opened a shared stream leaves, the others go on", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const held = world.steps.hold("claude.content_block_stop")
      const first = yield* Effect.forkChild(play("same"), { startImmediately: true })
      yield* held.reached
      const second = yield* Effect.forkChild(play("same"), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      held.release()
      const { events, settlement } = yield* Fiber.join(second)
      assert.strictEqual(events.at(-1)?.type, "message_stop")
      assert.isFalse(settlement.partial)
      assert.strictEqual(world.upstream.aborted, 0)
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("closing the governor aborts and settles what is being read", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const gone = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        const governor = yield* Governor
        const scope = yield* Scope.make()
        const stream = yield* Scope.provide(governor.stream(request("x"), defaultCaller, { cache: "off" }), scope)
        yield* Effect.forkDetach(Effect.andThen(stream.settlement, Deferred.succeed(gone, undefined)))
      }).pipe(Effect.provide(world.layer))
      yield* Deferred.await(gone)
      assert.strictEqual(world.upstream.aborted, 1)
      assert.deepInclude(world.books.settled[0], { partial: true })
      assert.deepStrictEqual(balance(world), balanced)
    })
  })
})
