import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Claude } from "../../src/claude/Claude.ts"
import type { AttemptEvent } from "../../src/claude/ClaudeService.ts"
import type { RetryOptions } from "../../src/claude/Retry.ts"
import { Wire } from "../../src/claude/Wire.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { Simulator, type SimulatorOptions } from "../../src/testing/simulator/Simulator.ts"
import { ask, typesOf } from "../testing/simulatorSupport.ts"

const retrying = (options: Partial<RetryOptions> = {}, simulator: SimulatorOptions = {}) =>
  Claude.layerRetryingWith(options).pipe(
    Layer.provide(Claude.layerSimulatedNoDeps),
    Layer.provideMerge(Simulator.layerWith(simulator))
  )

const send = (...args: Parameters<(typeof Claude)["Service"]["send"]>) => Claude.use((claude) => claude.send(...args))
const inject = (...faults: ReadonlyArray<Fault>) =>
  Simulator.use((simulator) => Effect.forEach(faults, (fault) => simulator.inject(fault), { discard: true }))

/** Runs it while the clock turns; gives how it ended, and the virtual milliseconds it took. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(Effect.result(effect), (result) =>
        Effect.map(Clock.currentTimeMillis, (now) => ({ result, millis: now - start }))
      ),
      { startImmediately: true }
    )
    for (let n = 0; n < 2_000 && fiber.pollUnsafe() === undefined; n++) yield* TestClock.adjust("100 millis")
    return yield* Fiber.join(fiber)
  })

const listen = () => {
  const seen: Array<AttemptEvent> = []
  return { seen, onAttempt: (event: AttemptEvent) => Effect.sync(() => void seen.push(event)) }
}
const brief = (event: AttemptEvent) =>
  event._tag === "Answered"
    ? `${event.attempt}:${event.status}`
    : `${event.attempt}:${event.error.reason._tag}:${event.billed}`

const reasonTag = (outcome: { readonly result: { readonly _tag: string } }): string => {
  const { result } = outcome
  return "failure" in result ? ((result.failure as { reason: { _tag: string } }).reason._tag ?? "") : "answered"
}

describe("Claude.layerRetrying", () => {
  it.effect("tries again after what may pass, telling of every attempt", () =>
    Effect.gen(function* () {
      const { onAttempt, seen } = listen()
      yield* inject(Fault.overloaded, Fault.serverError, Fault.reset)
      const outcome = yield* timed(send(ask("x"), { onAttempt }))
      assert.strictEqual(reasonTag(outcome), "answered")
      assert.deepStrictEqual(seen.map(brief), [
        "1:529",
        "1:Overloaded:no",
        "2:500",
        "2:ServerFault:no",
        "3:Unreachable:unknown",
        "4:200"
      ])
      assert.isAtLeast(outcome.millis, 0.8 * (500 + 1_000 + 2_000))
      assert.isAtMost(outcome.millis, 1.2 * (500 + 1_000 + 2_000) + 300)
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("waits at least as long as upstream asks", () =>
    Effect.gen(function* () {
      yield* inject(Fault.rateLimited(30))
      const outcome = yield* timed(send(ask("x")))
      assert.strictEqual(reasonTag(outcome), "answered")
      assert.isAtLeast(outcome.millis, 30_000)
      assert.isAtMost(outcome.millis, 33_200)
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("fails at once when upstream asks for more time than there is", () =>
    Effect.gen(function* () {
      yield* inject(Fault.rateLimited(121))
      assert.deepStrictEqual(
        yield* Effect.map(timed(send(ask("x"))), (outcome) => [reasonTag(outcome), outcome.millis]),
        ["RateLimited", 0]
      )
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("gives up after so many attempts, with the last error", () =>
    Effect.gen(function* () {
      const { onAttempt, seen } = listen()
      yield* inject(...Array.from({ length: 5 }, () => Fault.overloaded))
      const outcome = yield* timed(send(ask("x"), { onAttempt }))
      assert.strictEqual(reasonTag(outcome), "Overloaded")
      assert.deepStrictEqual(seen.map(brief), ["1:529", "1:Overloaded:no", "2:529", "2:Overloaded:no", "3:529"])
      const { result } = yield* timed(send(ask("x")))
      assert.strictEqual(result._tag, "Success")
    }).pipe(Effect.provide(retrying({ maxAttempts: 3 })))
  )

  it.effect("does not repeat what will not help, and obeys x-should-retry", () =>
    Effect.gen(function* () {
      const tagOf = (fault: Fault) => Effect.flatMap(inject(fault), () => Effect.map(timed(send(ask("x"))), reasonTag))
      assert.strictEqual(yield* tagOf(Fault.refuse(403)), "Rejected")
      assert.strictEqual(yield* tagOf(Fault.refuse(409)), "Rejected")
      assert.strictEqual(yield* tagOf(Fault.refuse(409, { headers: { "x-should-retry": "true" } })), "answered")
      assert.strictEqual(yield* tagOf(Fault.refuse(529, { headers: { "x-should-retry": "false" } })), "Overloaded")
      assert.strictEqual(yield* tagOf(Fault.ramp(1)), "answered")
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("stops waiting when it is interrupted", () =>
    Effect.gen(function* () {
      yield* inject(Fault.rateLimited(60))
      const fiber = yield* Effect.forkChild(send(ask("x")), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* Simulator.use((simulator) => simulator.bill)).total.requests, 0)
    }).pipe(Effect.provide(retrying()))
  )
})

describe("Claude.layerRetrying, streams", () => {
  const read = (onAttempt?: (event: AttemptEvent) => Effect.Effect<void>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const claude = yield* Claude
        const { events } = yield* claude.stream(ask("hello"), { onAttempt })
        const seen: Array<string> = []
        const ended = yield* Effect.result(
          Stream.runForEach(events, (event) => Effect.sync(() => seen.push(event.type)))
        )
        return { seen, ended: ended._tag }
      })
    )

  it.effect("are tried again while nothing of them was seen", () =>
    Effect.gen(function* () {
      const { onAttempt, seen } = listen()
      yield* inject(Fault.overloaded, Fault.cut(0), Fault.errorEvent(0))
      const { result } = yield* timed(read(onAttempt))
      assert.deepStrictEqual(result._tag === "Success" && [result.success.seen[0], result.success.seen.at(-1)], [
        "message_start",
        "message_stop"
      ])
      assert.deepStrictEqual(seen.map(brief), [
        "1:529",
        "1:Overloaded:no",
        "2:200",
        "2:StreamBroken:unknown",
        "3:200",
        "3:StreamBroken:unknown",
        "4:200"
      ])
      const entries = (yield* Simulator.use((simulator) => simulator.bill)).entries
      assert.deepStrictEqual(
        entries.map((entry) => entry.status),
        ["aborted", "aborted", "complete"]
      )
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("leave nothing of a failed attempt open", () =>
    Effect.gen(function* () {
      yield* inject(Fault.errorEvent(0))
      const claude = yield* Claude
      const opening = yield* Effect.forkChild(claude.stream(ask("hello")), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(opening)
      const { entries } = yield* Simulator.use((simulator) => simulator.bill)
      assert.deepStrictEqual(
        entries.map((entry) => entry.status),
        ["aborted", "complete"]
      )
    }).pipe(Effect.scoped, Effect.provide(retrying()))
  )

  it.effect("have not begun with a ping, and lose none", () =>
    Effect.gen(function* () {
      const ping = { type: "ping" }
      const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
      const attempts = [
        [[ping], [error]],
        [[ping], [ping, { type: "message_start" }], [ping, { type: "message_stop" }]]
      ]
      const replies = attempts.map((batches) => ({
        _tag: "Events" as const,
        status: 200,
        headers: {},
        events: Stream.fromArrays(...batches)
      }))
      const wire = Layer.mock(Wire, {
        kind: "fake",
        call: () => Effect.suspend(() => Effect.fromNullishOr(replies.shift()).pipe(Effect.orDie))
      })
      const layer = Claude.layerRetrying.pipe(Layer.provide(Claude.layerSimulatedNoDeps), Layer.provide(wire))
      const { result } = yield* timed(Effect.provide(read(), layer))
      assert.deepStrictEqual(result._tag === "Success" && result.success.seen, [
        "ping",
        "ping",
        "message_start",
        "ping",
        "message_stop"
      ])
    })
  )

  it.effect("are never begun again once an event was handed over", () =>
    Effect.gen(function* () {
      yield* inject(Fault.cut(2))
      const { result } = yield* timed(read())
      assert.deepStrictEqual(result._tag === "Success" && result.success, {
        seen: ["message_start", "ping"],
        ended: "Failure"
      })
      assert.strictEqual((yield* Simulator.use((simulator) => simulator.bill)).total.requests, 1)
    }).pipe(Effect.provide(retrying()))
  )

  it.effect("stay open after the call that opened them, and close with the caller's scope", () =>
    Effect.gen(function* () {
      const claude = yield* Claude
      const status = Effect.map(
        Simulator.use((simulator) => simulator.bill),
        ({ entries }) => entries.at(-1)?.status
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const opening = yield* Effect.forkChild(claude.stream(ask("[[tokens:50]]")), { startImmediately: true })
          yield* TestClock.adjust("1 second")
          const { events } = yield* Fiber.join(opening)
          const first = yield* Effect.forkChild(Stream.runCollect(Stream.take(events, 3)), { startImmediately: true })
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(typesOf(yield* Fiber.join(first)), ["message_start", "ping", "content_block_start"])
          assert.strictEqual(yield* status, "running")
        })
      )
      assert.strictEqual(yield* status, "aborted")
    }).pipe(Effect.provide(retrying({}, { perToken: "100 millis" })))
  )
})

describe("Claude.layerRetrying, circuit", () => {
  const breaker = { failures: 3, openFor: "10 seconds", probeFor: "15 seconds" } as const
  const once = { maxAttempts: 1, breaker, patience: 0 }
  const fail = (n: number) => inject(...Array.from({ length: n }, () => Fault.serverError))
  const failing = Claude.use((claude) => claude.failing ?? Effect.succeed([]))
  const tagNow = Effect.map(Effect.result(send(ask("x"))), (result) =>
    result._tag === "Failure" ? result.failure.reason._tag : "answered"
  )

  it.effect("opens after failures in a row, lets one probe through, and closes when it succeeds", () =>
    Effect.gen(function* () {
      yield* fail(3)
      assert.deepStrictEqual(yield* failing, [])
      for (let n = 0; n < 3; n++) assert.strictEqual(yield* tagNow, "ServerFault")
      assert.deepStrictEqual(yield* failing, ["sonnet"])
      const { reason } = yield* Effect.flip(send(ask("x")))
      assert.deepStrictEqual(reason._tag === "CircuitOpen" && [reason.retryAfterMillis, reason.because], [
        10_000,
        "failures"
      ])
      assert.strictEqual((yield* Simulator.use((simulator) => simulator.bill)).total.requests, 0)
      const other = yield* send(ask("x", { model: "claude-haiku-5-5" }))
      assert.strictEqual(other.status, 200)
      yield* TestClock.adjust("10 seconds")
      yield* fail(1)
      assert.strictEqual(yield* tagNow, "ServerFault")
      assert.strictEqual(yield* tagNow, "CircuitOpen")
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* failing, ["sonnet"])
      assert.strictEqual(yield* tagNow, "answered")
      assert.deepStrictEqual(yield* failing, [])
      assert.strictEqual(yield* tagNow, "answered")
    }).pipe(Effect.provide(retrying(once)))
  )

  it.effect("does not open for refusals", () =>
    Effect.gen(function* () {
      yield* inject(...Array.from({ length: 5 }, () => Fault.refuse(403)))
      for (let n = 0; n < 5; n++) assert.strictEqual(yield* tagNow, "Rejected")
      assert.strictEqual(yield* tagNow, "answered")
    }).pipe(Effect.provide(retrying(once)))
  )

  it.effect("a short opening is waited out and is no attempt, a long one is not waited for", () =>
    Effect.gen(function* () {
      yield* fail(3)
      const { onAttempt, seen } = listen()
      const short = yield* timed(send(ask("x"), { onAttempt }))
      assert.strictEqual(reasonTag(short), "answered")
      assert.isAtLeast(short.millis, 2_000)
      assert.deepStrictEqual(seen.at(-1) && brief(seen[seen.length - 1] as AttemptEvent), "4:200")
      yield* fail(4)
      assert.strictEqual(reasonTag(yield* timed(send(ask("x")))), "CircuitOpen")
    }).pipe(
      Effect.provide(
        retrying({ breaker: { ...breaker, openFor: "2 seconds" }, base: "10 millis", patience: "3 seconds" })
      )
    )
  )

  it.effect("a probe that takes long does not hold up the others", () =>
    Effect.gen(function* () {
      yield* fail(3)
      for (let n = 0; n < 3; n++) assert.strictEqual(yield* tagNow, "ServerFault")
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(send(ask("[[tokens:600]]")), { startImmediately: true })
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(yield* tagNow, "CircuitOpen")
      yield* TestClock.adjust("1 second")
      const next = yield* Effect.forkChild(tagNow, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(next), "answered")
      assert.strictEqual((yield* Fiber.join(probe)).message.usage.output_tokens, 600)
    }).pipe(Effect.provide(retrying(once, { perToken: "100 millis" })))
  )

  it.effect("keeps back everything of a key whose spend limit is reached, and nothing of another", () =>
    Effect.gen(function* () {
      const { onAttempt, seen } = listen()
      yield* inject(Fault.spendLimit)
      const first = yield* timed(send(ask("x"), { onAttempt }))
      assert.deepStrictEqual([reasonTag(first), first.millis, seen.length], ["RateLimited", 0, 1])
      const { reason } = yield* Effect.flip(send(ask("x", { model: "claude-opus-5-5" })))
      assert.deepStrictEqual(reason._tag === "CircuitOpen" && [reason.retryAfterMillis, reason.because], [
        60_000,
        "spend"
      ])
      yield* send(ask("x"), { apiKey: Redacted.make("other") })
      yield* TestClock.adjust("1 minute")
      yield* inject(Fault.spendLimit)
      assert.strictEqual(yield* tagNow, "RateLimited")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* tagNow, "CircuitOpen")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* tagNow, "answered")
    }).pipe(Effect.provide(retrying({ breaker })))
  )
})
