import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Result } from "effect"
import { ClaudeError, Overloaded, Rejected, TimedOut } from "../../src/claude/ClaudeError.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { RateLimitError } from "../../src/limits/TokenRateLimiter.ts"
import { answer, balance, balanced, makeWorld, model, published, request } from "./world.ts"

const overloaded = new ClaudeError({
  reason: new Overloaded({ status: 529, body: {}, headers: {}, requestId: null, retryAfterMillis: null })
})
const timedOut = new ClaudeError({ reason: new TimedOut({ afterMillis: 1 }) })

describe("Governor.run", () => {
  it.effect("goes through the rooms in order and books the real usage", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.upstream.reply = () =>
        answer("hi", {
          usage: { input_tokens: 10, cache_creation_input_tokens: 200, cache_read_input_tokens: 30, output_tokens: 5 }
        })
      const { message, settlement } = yield* governor.run(
        request("hello"),
        { ...defaultCaller, agent: "a" },
        { rawTokens: 999 }
      )
      assert.deepStrictEqual(world.steps.log, [
        "cache.lookup",
        "cache.coalesce",
        "costs.reserve",
        "limiter.reserve",
        "claude.sending",
        "limiter.observe",
        "claude.answering",
        "limiter.settle",
        "costs.settle",
        "estimator.observe",
        "events.publish",
        "cache.store"
      ])
      const usage = { input: 10, cacheWrite5m: 200, cacheWrite1h: 0, cacheRead: 30, output: 5 }
      assert.deepStrictEqual(message.content, [{ type: "text", text: "hi" }])
      assert.deepStrictEqual(settlement.usage, usage)
      assert.strictEqual(settlement.cache, "miss")
      assert.strictEqual(settlement.queueMillis, 7)
      // 10 × 2,000 + 200 × 2,500 + 30 × 100 + 5 × 10,000 nano-dollars
      assert.strictEqual(settlement.costNanoUsd, 573_000)
      assert.deepStrictEqual(world.limits.settled, [usage])
      assert.strictEqual(world.books.settled[0]?.rawTokens, 999)
      assert.deepStrictEqual(balance(world), balanced)
      const [event] = yield* published
      assert.deepInclude(event, {
        _tag: "Usage",
        agent: "a",
        model,
        status: "ok",
        cache: "miss",
        costNanoUsd: nanoUsd(573_000)
      })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("answers a repeated request from the cache: no tokens, no dollars, the saving on record", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const first = yield* governor.run(request("same"), defaultCaller)
      const second = yield* governor.run(request("same"), defaultCaller)
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.deepStrictEqual(second.message, first.message)
      assert.strictEqual(second.settlement.cache, "hit")
      assert.strictEqual(second.settlement.costNanoUsd, 0)
      assert.strictEqual(second.settlement.savedNanoUsd, first.settlement.costNanoUsd)
      assert.strictEqual(second.settlement.usage.output, 0)
      assert.strictEqual(world.limits.reserved.length, 1)
      assert.strictEqual(world.books.saved.length, 1)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("keeps tenants apart, and obeys cache off and refresh", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      yield* governor.run(request("x"), defaultCaller)
      yield* governor.run(request("x"), { ...defaultCaller, tenant: "other" })
      assert.strictEqual(world.upstream.requests.length, 2)
      const off = yield* governor.run(request("x"), defaultCaller, { cache: "off" })
      assert.strictEqual(off.settlement.cache, "bypass")
      world.upstream.reply = () => answer("newer")
      const fresh = yield* governor.run(request("x"), defaultCaller, { cache: "refresh" })
      assert.strictEqual(fresh.settlement.cache, "miss")
      const after = yield* governor.run(request("x"), defaultCaller)
      assert.strictEqual(after.settlement.cache, "hit")
      assert.deepStrictEqual(after.message.content, [{ type: "text", text: "newer" }])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("an answer paid with one key is not given to another", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const caches: Array<string> = []
      for (const key of ["a", "b", "a", undefined]) {
        const options = key === undefined ? {} : { apiKey: Redacted.make(key) }
        const { settlement } = yield* governor.run(request("x"), defaultCaller, options)
        caches.push(settlement.cache)
      }
      assert.deepStrictEqual(caches, ["miss", "miss", "hit", "miss"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("identical requests in flight make one call; everybody else saves it", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const held = world.steps.hold("claude.answering")
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
        Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      )
      yield* held.reached
      held.release()
      const answers = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.deepStrictEqual(answers.map((a) => a.settlement.cache).sort(), [
        "coalesced",
        "coalesced",
        "coalesced",
        "coalesced",
        "miss"
      ])
      assert.strictEqual(new Set(answers.map((a) => a.settlement.requestId)).size, 5)
      assert.strictEqual(world.books.saved.length, 4)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("a leader that leaves the queue hands over; a follower's answer arrives", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const held = world.steps.hold("limiter.reserve")
      const leader = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      yield* held.reached
      const follower = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      yield* Fiber.interrupt(leader)
      held.release()
      const { message } = yield* Fiber.join(follower)
      assert.deepStrictEqual(message.content, [{ type: "text", text: "hello" }])
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("who left after the call was sent finds it in flight when coming back", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const held = world.steps.hold("claude.answering")
      const impatient = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), {
        startImmediately: true
      })
      yield* held.reached
      yield* Fiber.interrupt(impatient)
      const again = yield* Effect.forkChild(governor.run(request("same"), defaultCaller), { startImmediately: true })
      held.release()
      const { settlement } = yield* Fiber.join(again)
      assert.strictEqual(settlement.cache, "coalesced")
      assert.strictEqual(world.upstream.requests.length, 1)
      assert.strictEqual(world.upstream.aborted, 0)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("over budget nothing is sent and nothing is held", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.books.budget = 10
      const error = yield* Effect.flip(governor.run(request("x"), defaultCaller))
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.strictEqual(world.upstream.requests.length, 0)
      assert.strictEqual(world.limits.reserved.length, 0)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("holds what an hour's cache entries cost where the prompt asks for them", () => {
    const world = makeWorld()
    const mark = { type: "ephemeral", ttl: "1h" } as const
    const text = "x".repeat(40_000)
    const marked = [
      request(text, { cache_control: mark }),
      request(text, { system: [{ type: "text", text: "s", cache_control: mark }] }),
      request(text, { tools: [{ name: "t", input_schema: {}, cache_control: mark }] }),
      request(text, { messages: [{ role: "user", content: [{ type: "text", text, cache_control: mark }] }] })
    ]
    return Effect.gen(function* () {
      const governor = yield* Governor
      const ask = (asked: MessagesRequest) => Effect.result(governor.run(asked, defaultCaller, { cache: "off" }))
      // Between the price of 5-minute writes and that of 1-hour writes.
      world.books.budget = 55_000_000
      assert.isTrue(Result.isSuccess(yield* ask(request(text))))
      for (const asked of marked) assert.isTrue(Result.isFailure(yield* ask(asked)))
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("a refusal of the limiter gives the dollars back", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.limits.refuse = new RateLimitError({ reason: "QueueFull", model, message: "full", retryAfterMillis: 1 })
      const error = yield* Effect.flip(governor.run(request("x"), defaultCaller))
      assert.strictEqual(error._tag, "RateLimitError")
      assert.strictEqual(world.upstream.requests.length, 0)
      assert.strictEqual(world.books.released.length, 1)
      assert.deepStrictEqual(balance(world), balanced)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("what upstream refuses is given back, and told as an error", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.upstream.reply = () => overloaded
      const error = yield* Effect.flip(governor.run(request("x"), defaultCaller))
      assert.strictEqual(error, overloaded)
      assert.deepStrictEqual(world.limits.observed, [529])
      assert.strictEqual(world.books.released.length, 1)
      assert.deepStrictEqual(balance(world), balanced)
      const [event] = yield* published
      assert.deepInclude(event, { _tag: "Usage", status: "error", costNanoUsd: nanoUsd(0) })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect.each([
    [400, "max_tokens: too large", "rejected"],
    [413, "Request too large", "rejected"],
    [400, "Your credit balance is too low to access the Anthropic API.", "error"],
    [401, "invalid x-api-key", "error"]
  ] as const)("a refusal (%i, %s) is told as %s", ([status, message, told]) => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const body = { type: "error", error: { type: "invalid_request_error", message } }
      const reason = new Rejected({ status, body, headers: {}, requestId: null })
      world.upstream.reply = () => new ClaudeError({ reason })
      yield* Effect.flip(governor.run(request("x"), defaultCaller))
      assert.deepStrictEqual(balance(world), balanced)
      assert.deepInclude((yield* published)[0], { _tag: "Usage", status: told })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("silence may have been billed: it is booked as partial by the estimate", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.upstream.reply = () => timedOut
      yield* Effect.flip(governor.run(request("x".repeat(300)), defaultCaller))
      const [entry] = world.books.settled
      assert.isTrue(entry?.partial)
      assert.isAbove(entry?.usage.input ?? 0, 50)
      assert.strictEqual(world.books.open.size, 0)
      assert.strictEqual(world.limits.open.size, 0)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("reserves by what the conversation's prefix showed: cached tokens are not counted", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      const caller = { ...defaultCaller, conversation: "c" }
      const long = "word ".repeat(6_000)
      const usages = [
        { input_tokens: 10, cache_creation_input_tokens: 10_000, output_tokens: 5 },
        { input_tokens: 10, cache_read_input_tokens: 10_000, cache_creation_input_tokens: 100, output_tokens: 5 },
        { input_tokens: 10, cache_read_input_tokens: 10_100, cache_creation_input_tokens: 100, output_tokens: 5 }
      ]
      world.upstream.reply = (_, n) => answer("ok", { usage: usages[Math.min(n, 2)] ?? {} })
      for (const n of [1, 2, 3, 4, 5]) yield* governor.run(request(long + n), caller)
      const [first = 0, , third = 0, , fifth = 0] = world.limits.reserved.map((r) => r.inputTokens)
      assert.isAbove(first, 10_000)
      assert.isBelow(third, first / 2)
      assert.isBelow(fifth, third)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("closing the governor settles what upstream still owes an answer for", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const held = world.steps.hold("claude.answering")
      const exit = yield* Effect.gen(function* () {
        const governor = yield* Governor
        const fiber = yield* Effect.forkDetach(governor.run(request("x"), defaultCaller), { startImmediately: true })
        yield* held.reached
        return fiber
      }).pipe(Effect.provide(world.layer), Effect.flatMap(Fiber.await))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(world.books.settled[0]?.partial, true)
      assert.deepStrictEqual(balance(world), balanced)
    })
  })
})
