import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Stream } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import type { AttemptEvent } from "../../src/claude/ClaudeService.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { fromApi } from "../../src/domain/Usage.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { ask, collect, typesOf } from "../testing/simulatorSupport.ts"
import { captured, overSocket } from "./sockets.ts"

const send = (...args: Parameters<(typeof Claude)["Service"]["send"]>) => Claude.use((claude) => claude.send(...args))
const reasonOf = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Waits until the simulator's bill says so, on the real clock. */
const eventually = <A>(what: Effect.Effect<A, never, Simulator>, holds: (a: A) => boolean) =>
  Effect.suspend(() => what).pipe(
    Effect.repeat({ while: (a) => Effect.as(Effect.sleep("5 millis"), !holds(a)) }),
    Effect.timeout("5 seconds")
  )
const entries = Effect.map(
  Simulator.use((simulator) => simulator.bill),
  (bill) => bill.entries
)

describe("Claude.layerAnthropic over a socket", () => {
  it.live("gives whole answers, with upstream's headers", () =>
    Effect.gen(function* () {
      const { headers, message, status } = yield* send(ask("hello"))
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(message.content, [{ type: "text", text: "Simulated answer to: hello" }])
      const [entry] = yield* entries
      assert.strictEqual(headers["request-id"], entry?.requestId)
      assert.deepStrictEqual(fromApi(message.usage), entry?.usage)
      assert.strictEqual(
        yield* Claude.use((claude) =>
          claude.countTokens({ model: "claude-sonnet-5-5", messages: ask("hello").messages })
        ),
        entry?.usage.input
      )
    }).pipe(Effect.provide(overSocket()))
  )

  it.live("gives events one by one, ping included", () =>
    Effect.gen(function* () {
      const events = yield* collect(ask("hello"))
      const inProcess = yield* Effect.provide(collect(ask("hello")), Claude.layerSimulated)
      const withoutIds = (seen: ReadonlyArray<StreamEvent>) =>
        seen.map((event) => (event.type === "message_start" ? "message_start" : event))
      assert.deepStrictEqual(withoutIds(events), withoutIds(inProcess))
      assert.strictEqual(typesOf(events)[1], "ping")
    }).pipe(Effect.provide(overSocket()))
  )

  it.live("hands events on as they come", () =>
    Effect.gen(function* () {
      const claude = yield* Claude
      const times: Array<number> = []
      const { events } = yield* claude.stream(ask("[[tokens:100]]"))
      const start = performance.now()
      yield* Stream.runForEach(events, () => Effect.sync(() => times.push(performance.now() - start)))
      assert.isBelow(times[0] ?? 999, 150)
      assert.isAbove((times.at(-1) ?? 0) - (times[0] ?? 0), 200)
      assert.isAbove(new Set(times.map((time) => Math.round(time / 10))).size, 8)
    }).pipe(Effect.scoped, Effect.provide(overSocket({ perToken: "4 millis" })))
  )

  it.live("sends the body as it was given, and the caller's headers and key instead of ours", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* captured
      const request = ask("x", { unknown_field: { deep: [1, null, 1.5e3] }, stream: false })
      const headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "a,b",
        "x-api-key": "theirs",
        "accept-encoding": "br",
        "content-length": "3"
      }
      yield* Effect.ignore(Effect.provide(send(request, { headers }), layer))
      yield* Effect.ignore(Effect.provide(collect(request), layer))
      yield* Effect.ignore(Effect.provide(send(request, { apiKey: Redacted.make("other") }), layer))
      const { stream: _, ...body } = request
      assert.deepStrictEqual(
        seen.map(({ body }) => JSON.parse(body)),
        [body, { ...request, stream: true }, body]
      )
      assert.deepStrictEqual(
        seen.map(({ headers }) => [headers["x-api-key"], headers.authorization, headers["anthropic-version"]]),
        [
          ["theirs", undefined, "2023-06-01"],
          [undefined, "Bearer sk-test", "2026-10-21"],
          [undefined, "Bearer other", "2026-10-21"]
        ]
      )
      assert.strictEqual(seen[0]?.headers["anthropic-beta"], "a,b")
      assert.isUndefined(seen[0]?.headers["accept-encoding"])
    }).pipe(Effect.scoped)
  )

  it.live("maps every refusal, with status, body, headers and request id", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const attempts: Array<AttemptEvent> = []
      const onAttempt = (event: AttemptEvent) => Effect.sync(() => void attempts.push(event))
      const faults = [
        Fault.rateLimited(7),
        Fault.ramp(3),
        Fault.spendLimit,
        Fault.contractSpendLimit,
        Fault.overloaded,
        Fault.serverError,
        Fault.refuse(503, { headers: { "retry-after-ms": "250" } }),
        Fault.refuse(403, { message: "no" })
      ]
      yield* Effect.forEach(faults, (fault) => simulator.inject(fault))
      const seen = yield* Effect.forEach(faults, () =>
        Effect.map(Effect.flip(send(ask("x"), { onAttempt })), ({ reason }) => [
          reason._tag,
          reason._tag === "RateLimited" ? reason.kind : "status" in reason ? reason.status : null,
          "retryAfterMillis" in reason ? reason.retryAfterMillis : null,
          "requestId" in reason && reason.requestId?.startsWith("req_")
        ])
      )
      assert.deepStrictEqual(seen, [
        ["RateLimited", "rate", 7_000, true],
        ["RateLimited", "ramp", 3_000, true],
        ["RateLimited", "spend", null, true],
        ["RateLimited", "spend", null, true],
        ["Overloaded", 529, null, true],
        ["ServerFault", 500, null, true],
        ["ServerFault", 503, 250, true],
        ["Rejected", 403, null, true]
      ])
      assert.deepStrictEqual(
        attempts.map((event) => event._tag === "Answered" && event.status),
        [429, 429, 429, 429, 529, 500, 503, 403]
      )
      const invalid = yield* Effect.flip(collect(ask("")))
      assert.include(JSON.stringify(invalid.reason), "must have non-empty content")
    }).pipe(Effect.provide(overSocket()))
  )

  it.live("says what broke: a reset, a cut stream, an error event, silence", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const meet = (fault: Fault) =>
        Effect.gen(function* () {
          yield* simulator.inject(fault)
          const claude = yield* Claude
          const seen: Array<string> = []
          const reason = yield* reasonOf(
            Effect.scoped(
              Effect.flatMap(claude.stream(ask("hello")), ({ events }) =>
                Stream.runForEach(events, (event) => Effect.sync(() => seen.push(event.type)))
              )
            )
          )
          return [reason._tag, seen]
        })
      assert.deepStrictEqual(yield* meet(Fault.reset), ["Unreachable", []])
      assert.deepStrictEqual(yield* meet(Fault.cut(2)), ["StreamBroken", ["message_start", "ping"]])
      assert.deepStrictEqual(yield* meet(Fault.errorEvent(1)), ["StreamBroken", ["message_start"]])
      assert.deepStrictEqual(yield* meet(Fault.stall(2)), ["TimedOut", ["message_start", "ping"]])
      yield* simulator.inject(Fault.reset)
      assert.strictEqual((yield* reasonOf(send(ask("x"))))._tag, "Unreachable")
    }).pipe(Effect.provide(overSocket({}, { idle: "300 millis" })))
  )

  it.live("aborts the call when it is interrupted, before the headers and in the stream", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      yield* simulator.inject(Fault.hang)
      const waiting = yield* Effect.forkChild(send(ask("x")))
      yield* eventually(entries, (all) => all.length === 1)
      yield* Fiber.interrupt(waiting)
      yield* eventually(entries, (all) => all[0]?.status === "aborted")
      const reading = yield* Effect.forkChild(collect(ask("[[tokens:5000]]", { max_tokens: 5_000 })))
      yield* eventually(entries, (all) => (all[1]?.usage.output ?? 0) > 20)
      yield* Fiber.interrupt(reading)
      yield* eventually(entries, (all) => all[1]?.status === "aborted")
      assert.isBelow((yield* entries)[1]?.usage.output ?? 5_000, 2_500)
    }).pipe(Effect.provide(overSocket({ perToken: "1 millis" })))
  )

  it.live("fails at once without any key", () =>
    Effect.gen(function* () {
      const reason = yield* Effect.flip(send(ask("x")))
      assert.include(JSON.stringify(reason.reason), "set ANTHROPIC_API_KEY")
      yield* send(ask("x"), { apiKey: Redacted.make("mine") })
      yield* send(ask("x"), { headers: { "x-api-key": "mine" } })
      assert.strictEqual((yield* entries).length, 2)
    }).pipe(Effect.provide(overSocket({}, { apiKey: undefined })))
  )

  it.live("says that nobody is there", () =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(send(ask("x")))
      assert.strictEqual(reason._tag, "Unreachable")
    }).pipe(Effect.provide(Claude.layerAnthropic({ baseUrl: "http://127.0.0.1:9", apiKey: Redacted.make("k") })))
  )
})
