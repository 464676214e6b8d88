import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Claude } from "../../src/claude/Claude.ts"
import type { ApiUsage } from "../../src/domain/MessagesRequest.ts"
import { fromApi } from "../../src/domain/Usage.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { callTools, say } from "../../src/testing/simulator/Responder.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { ask, collect, simulated, typesOf, user } from "./simulatorSupport.ts"

const search = { name: "search", description: "Searches", input_schema: { type: "object" } }

const send = (...args: Parameters<(typeof Claude)["Service"]["send"]>) => Claude.use((claude) => claude.send(...args))

describe("Simulator answers", () => {
  it.effect("a text, the same for the same request", () =>
    Effect.gen(function* () {
      const first = yield* send(ask("hello"))
      const again = yield* send(ask("hello"))
      assert.deepStrictEqual(first.message.content, [{ type: "text", text: "Simulated answer to: hello" }])
      assert.deepStrictEqual(again.message.content, first.message.content)
      assert.notStrictEqual(again.message.id, first.message.id)
      assert.strictEqual(first.message.stop_reason, "end_turn")
      assert.strictEqual(first.headers["request-id"]?.startsWith("req_"), true)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("with tool calls, when asked for and offered", () =>
    Effect.gen(function* () {
      const prompt = 'look: [[tool:search {"q": "a"}]] and [[tool:search {"q": {"deep": []}}]]'
      const { message } = yield* send(ask(prompt, { tools: [search] }))
      const calls = message.content.map((block) => [block.type, block.name, block.input])
      assert.deepStrictEqual(calls, [
        ["tool_use", "search", { q: "a" }],
        ["tool_use", "search", { q: { deep: [] } }]
      ])
      assert.strictEqual(message.stop_reason, "tool_use")
      assert.strictEqual(new Set(message.content.map((block) => block.id)).size, 2)
      const without = yield* send(ask(prompt))
      assert.strictEqual(without.message.stop_reason, "end_turn")
      const result = { type: "tool_result", tool_use_id: "t", content: "42" }
      const call = { type: "tool_use", id: "t", name: "search", input: {} }
      const after = yield* send({
        ...ask("x", { tools: [search] }),
        messages: [user(prompt), { role: "assistant", content: [call] }, user([result])]
      })
      assert.deepStrictEqual(after.message.content, [{ type: "text", text: "The tool answered: 42" }])
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("what a script says first, then what the rule says", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      yield* simulator.script(callTools({ name: "search", input: { q: 1 } }), say("done"))
      const texts = yield* Effect.forEach(["a", "b", "c"], (text) =>
        Effect.map(send(ask(text)), ({ message }) => message.content[0]?.text ?? message.content[0]?.name)
      )
      assert.deepStrictEqual(texts, ["search", "done", "ruled"])
    }).pipe(Effect.provide(simulated({ rule: () => say("ruled") })))
  )

  it.effect("no more than max_tokens, and not beyond a stop sequence", () =>
    Effect.gen(function* () {
      const long = yield* send(ask("[[tokens:500]]", { max_tokens: 100 }))
      assert.strictEqual(long.message.usage.output_tokens, 100)
      assert.strictEqual(long.message.stop_reason, "max_tokens")
      const exact = yield* send(ask("[[tokens:500]]"))
      assert.strictEqual(exact.message.usage.output_tokens, 500)
      const stopped = yield* send(ask("one two", { stop_sequences: ["two"] }))
      assert.deepStrictEqual(stopped.message.content, [{ type: "text", text: "Simulated answer to: one " }])
      assert.strictEqual(stopped.message.stop_sequence, "two")
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("as events that add up to the whole answer", () =>
    Effect.gen(function* () {
      const request = ask('[[tool:search {"q": "much longer than one delta"}]]', { tools: [search] })
      const { message } = yield* send(request)
      const events = yield* collect(request)
      assert.deepStrictEqual(typesOf(events).slice(0, 4), [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta"
      ])
      assert.deepStrictEqual(typesOf(events).slice(-3), ["content_block_stop", "message_delta", "message_stop"])
      const json = events
        .map((event) => (event.delta as { partial_json?: string } | undefined)?.partial_json ?? "")
        .join("")
      assert.deepStrictEqual(JSON.parse(json), message.content[0]?.input)
      const delta = events.at(-2) as unknown as { usage: ApiUsage; delta: object }
      assert.deepStrictEqual(fromApi(delta.usage), fromApi(message.usage))
      assert.deepStrictEqual(delta.delta, { stop_reason: "tool_use", stop_sequence: null })
      const start = events[0]?.message as { usage: { output_tokens: number }; content: unknown }
      assert.strictEqual(start.usage.output_tokens, 1)
      assert.deepStrictEqual(start.content, [])
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("with an object that follows a JSON schema, made of the request's own words", () =>
    Effect.gen(function* () {
      const strings = { type: "array", items: { type: "string" } }
      const schema = { type: "object", properties: { constraints: strings, count: { type: "integer" } } }
      const text = "Please fix the deploy of today.\nNever touch the production database."
      const { message } = yield* send(ask(text, { output_config: { format: { type: "json_schema", schema } } }))
      assert.deepStrictEqual(JSON.parse(String(message.content[0]?.text)), {
        constraints: ["Never touch the production database."],
        count: 0
      })
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("with the reason why the prompt cache could not serve, where that is asked for", () =>
    Effect.gen(function* () {
      const turn = (previous: string | null, extra: Readonly<Record<string, unknown>> = {}) =>
        send(ask("hello", { system: "You orchestrate.", diagnostics: { previous_message_id: previous }, ...extra }))
      const { message: first } = yield* turn(null)
      const on = [user("hello"), { role: "assistant", content: "hi" } as const, user("on")]
      const reasonOf = Effect.fnUntraced(function* (extra: Readonly<Record<string, unknown>>, previous = first.id) {
        const { diagnostics } = (yield* turn(previous, extra)).message
        return JSON.parse(JSON.stringify(diagnostics)).cache_miss_reason?.type ?? null
      })
      assert.deepStrictEqual(first.diagnostics, { cache_miss_reason: null })
      assert.strictEqual(yield* reasonOf({ messages: on }), null)
      assert.strictEqual(yield* reasonOf({ messages: [user("hallo"), ...on.slice(1)] }), "messages_changed")
      assert.strictEqual(yield* reasonOf({ system: "You command." }), "system_changed")
      assert.strictEqual(yield* reasonOf({ tools: [search] }), "tools_changed")
      assert.strictEqual(yield* reasonOf({ model: "claude-opus-5-5" }), "model_changed")
      assert.strictEqual(yield* reasonOf({}, "msg_unknown"), "previous_message_not_found")
      assert.isUndefined((yield* send(ask("hello"))).message.diagnostics)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("at the configured speed", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(send(ask("[[tokens:50]]")), { startImmediately: true })
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).message.usage.output_tokens, 50)
    }).pipe(Effect.provide(simulated({ firstByte: "1 second", perToken: "20 millis" })))
  )
})

describe("Simulator refuses", () => {
  const refused = (request: Parameters<typeof send>[0]) =>
    Effect.map(Effect.flip(send(request)), ({ reason }) => (reason._tag === "Rejected" ? reason : undefined))

  it.effect("what breaks a structure rule, with upstream's body", () =>
    Effect.gen(function* () {
      const reason = yield* refused(ask([{ type: "tool_result", tool_use_id: "x" }]))
      assert.strictEqual(reason?.status, 400)
      const body = reason?.body as { type: string; error: { type: string; message: string }; request_id: string }
      assert.strictEqual(body.error.type, "invalid_request_error")
      assert.include(body.error.message, "unexpected `tool_use_id`")
      assert.strictEqual(body.request_id, reason?.requestId)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("unknown models and too many output tokens", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* refused(ask("x", { model: "gpt-9" })))?.status, 404)
      const tooMany = yield* refused(ask("x", { max_tokens: 128_001 }))
      assert.include(JSON.stringify(tooMany?.body), "max_tokens: 128001 > 128000")
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("what is above its limits, until the bucket has refilled", () =>
    Effect.gen(function* () {
      const first = yield* send(ask("hello"))
      assert.strictEqual(first.headers["anthropic-ratelimit-requests-limit"], "2")
      assert.strictEqual(first.headers["anthropic-ratelimit-requests-remaining"], "1")
      assert.strictEqual(first.headers["anthropic-ratelimit-requests-reset"], "1970-01-01T00:00:30Z")
      yield* send(ask("hello"))
      const { reason } = yield* Effect.flip(send(ask("hello")))
      assert.strictEqual(reason._tag === "RateLimited" && reason.kind === "rate" && reason.retryAfterMillis, 30_000)
      yield* TestClock.adjust("30 seconds")
      yield* send(ask("hello"))
    }).pipe(Effect.provide(simulated({ limits: { requestsPerMinute: 2, inputTokensPerMinute: 100_000 } })))
  )

  it.effect("output once the generated tokens overdraw the minute", () =>
    Effect.gen(function* () {
      yield* send(ask("[[tokens:900]]"))
      yield* send(ask("[[tokens:900]]"))
      const { reason } = yield* Effect.flip(send(ask("x")))
      assert.strictEqual(reason._tag, "RateLimited")
      yield* TestClock.adjust("1 minute")
      yield* send(ask("x"))
    }).pipe(Effect.provide(simulated({ limits: { outputTokensPerMinute: 1_000 } })))
  )
})

describe("Simulator faults", () => {
  const tagOf = (effect: ReturnType<typeof send>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)

  it.effect("refuse as upstream does, once each", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const faults = [
        Fault.rateLimited(7),
        Fault.ramp(3),
        Fault.spendLimit,
        Fault.contractSpendLimit,
        Fault.overloaded,
        Fault.serverError,
        Fault.reset
      ]
      yield* Effect.forEach(faults, (fault) => simulator.inject(fault))
      const seen = yield* Effect.forEach(faults, () =>
        Effect.map(tagOf(send(ask("x"))), (reason) => [
          reason._tag,
          reason._tag === "RateLimited" ? reason.kind : "",
          "retryAfterMillis" in reason ? reason.retryAfterMillis : null
        ])
      )
      assert.deepStrictEqual(seen, [
        ["RateLimited", "rate", 7_000],
        ["RateLimited", "ramp", 3_000],
        ["RateLimited", "spend", null],
        ["RateLimited", "spend", null],
        ["Overloaded", "", null],
        ["ServerFault", "", null],
        ["Unreachable", "", null]
      ])
      yield* send(ask("x"))
      assert.strictEqual((yield* simulator.bill).total.requests, 1)
    }).pipe(Effect.provide(simulated()))
  )

  const until = (fault: Fault) =>
    Effect.gen(function* () {
      yield* Simulator.use((simulator) => simulator.inject(fault))
      const seen: Array<string> = []
      const claude = yield* Claude
      const exit = yield* Effect.scoped(
        Effect.gen(function* () {
          const { events } = yield* claude.stream(ask("hello"))
          yield* Stream.runForEach(events, (event) => Effect.sync(() => seen.push(event.type)))
        })
      ).pipe(Effect.flip, Effect.exit)
      return [seen, Exit.isSuccess(exit) ? exit.value.reason._tag : "no error"] as const
    })

  it.effect("cut a stream, send an error in it, or fall silent", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* until(Fault.cut(2)), [["message_start", "ping"], "StreamBroken"])
      assert.deepStrictEqual(yield* until(Fault.errorEvent(1)), [["message_start"], "StreamBroken"])
      const stalled = yield* Effect.forkChild(until(Fault.stall(1)), { startImmediately: true })
      yield* TestClock.adjust("4 minutes")
      assert.deepStrictEqual(yield* Fiber.join(stalled), [["message_start"], "TimedOut"])
      const hung = yield* Effect.forkChild(until(Fault.hang), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* Fiber.join(hung), [[], "TimedOut"])
    }).pipe(Effect.provide(simulated()))
  )
})

describe("Simulator bill", () => {
  it.effect("adds up to the usage of the answers", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const answers = yield* Effect.forEach(["a", "b", "c"], (text) => send(ask(text)))
      const events = yield* collect(ask("[[tokens:77]]"))
      const { entries, total } = yield* simulator.bill
      assert.deepStrictEqual(
        entries.slice(0, 3).map((entry) => [entry.requestId, entry.messageId, entry.usage, entry.status]),
        answers.map(({ headers, message }) => [headers["request-id"], message.id, fromApi(message.usage), "complete"])
      )
      assert.strictEqual(entries[3]?.usage.output, 77)
      assert.deepStrictEqual(fromApi((events.at(-2) as { usage?: ApiUsage }).usage ?? {}), entries[3]?.usage)
      assert.strictEqual(total.requests, 4)
      assert.strictEqual(
        total.usage.output,
        entries.reduce((sum, entry) => sum + entry.usage.output, 0)
      )
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("charges an abandoned stream for what was generated", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const fiber = yield* Effect.forkChild(collect(ask("[[tokens:100]]")), { startImmediately: true })
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      const [entry] = (yield* simulator.bill).entries
      assert.strictEqual(entry?.status, "aborted")
      assert.isAtLeast(entry?.usage.output ?? 0, 40)
      assert.isAtMost(entry?.usage.output ?? 0, 50)
      assert.isAbove(entry?.usage.input ?? 0, 0)
    }).pipe(Effect.provide(simulated({ perToken: "10 millis" })))
  )

  it.effect("charges an abandoned whole answer likewise", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator
      const fiber = yield* Effect.forkChild(send(ask("[[tokens:100]]")), { startImmediately: true })
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      const [entry] = (yield* simulator.bill).entries
      assert.deepStrictEqual([entry?.status, entry?.usage.output], ["aborted", 50])
    }).pipe(Effect.provide(simulated({ perToken: "10 millis" })))
  )

  it.effect("keeps single entries for the last requests only, and totals for all", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 50 }), () => send(ask("x")), { discard: true })
      const { entries, total } = yield* Simulator.use((simulator) => simulator.bill)
      assert.isAtMost(entries.length, 11)
      assert.strictEqual(total.requests, 50)
    }).pipe(Effect.provide(simulated({ maxBillEntries: 10 })))
  )
})
