import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, ManagedRuntime, Redacted, Stream } from "effect"
import { CircuitOpen, ClaudeError, Rejected, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { BudgetExceeded } from "../../src/costs/CostTracker.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import type { AssistantMessage, MessagesRequest, StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Governor, type GovernorError, type RunOptions } from "../../src/governor/Governor.ts"
import { governedFetch } from "../../src/http/GovernedFetch.ts"
import { settlement } from "./fakes.ts"

const message: AssistantMessage = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [{ type: "text", text: "Hello" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 3, output_tokens: 1 }
}

const request: MessagesRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "Hi" }],
  unknown_field: { kept: true }
}

const upstreamHeaders = { "request-id": "req_1", "content-encoding": "gzip", "content-length": "9" }

interface Seen {
  request?: MessagesRequest
  caller?: Caller
  options?: RunOptions | undefined
}

const governed = (
  behaviour: { readonly error?: GovernorError; readonly events?: Stream.Stream<StreamEvent, ClaudeError> },
  seen: Seen = {}
) => {
  const notice = (req: MessagesRequest, caller: Caller, options?: RunOptions) =>
    Effect.suspend(() => {
      Object.assign(seen, { request: req, caller, options })
      return behaviour.error === undefined ? Effect.void : Effect.fail(behaviour.error)
    })
  const layer = Layer.mock(Governor, {
    run: (...call) => Effect.as(notice(...call), { message, headers: upstreamHeaders, settlement }),
    stream: (...call) =>
      Effect.as(notice(...call), {
        requestId: "r1",
        model: "claude-sonnet-5-5",
        cache: "miss",
        queueMillis: 0,
        headers: upstreamHeaders,
        events: behaviour.events ?? Stream.empty,
        settlement: Effect.succeed(settlement)
      })
  })
  return Effect.acquireRelease(
    Effect.sync(() => ManagedRuntime.make(layer)),
    (runtime) => Effect.promise(() => runtime.dispose())
  )
}

const url = "https://api.anthropic.com/v1/messages?beta=true"
const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body)
})

const rejected = new Rejected({
  status: 400,
  body: { type: "error", error: { type: "invalid_request_error", message: "no" } },
  headers: { "request-id": "req_2" },
  requestId: "req_2"
})

const failures: ReadonlyArray<readonly [status: number, type: string, error: GovernorError]> = [
  [400, "invalid_request_error", new ClaudeError({ reason: rejected })],
  [529, "overloaded_error", new ClaudeError({ reason: new CircuitOpen({ retryAfterMillis: 1500 }) })],
  [
    402,
    "billing_error",
    new BudgetExceeded({ budget: "day", limit: nanoUsd(1), spent: nanoUsd(1), resetsAt: 0, message: "Used up." })
  ]
]

describe("governed fetch", () => {
  it.effect("governs a message, and hands on the caller's key and anthropic headers", () =>
    Effect.gen(function* () {
      const seen: Seen = {}
      const fetch = governedFetch(yield* governed({}, seen), { tenant: "acme" })
      const headers = { authorization: "Bearer sk-own", "anthropic-beta": "a,b", "x-stainless-retry-count": "0" }
      const response = yield* Effect.promise(() => fetch(url, post(request, headers)))
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), message)
      assert.strictEqual(response.headers.get("request-id"), "req_1")
      assert.isNull(response.headers.get("content-encoding"))
      assert.deepStrictEqual(seen.request, request)
      assert.deepInclude(seen.caller, { tenant: "acme", agent: "orchestrator" })
      assert.deepStrictEqual(seen.options?.headers, { "anthropic-beta": "a,b" })
      assert.strictEqual(Redacted.value(seen.options?.apiKey ?? Redacted.make("")), "sk-own")
    })
  )

  it.effect("streams events as upstream writes them", () =>
    Effect.gen(function* () {
      const events = Stream.make({ type: "message_start", message }, { type: "message_stop" })
      const fetch = governedFetch(yield* governed({ events }))
      const response = yield* Effect.promise(() => fetch(url, post({ ...request, stream: true })))
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      const text = yield* Effect.promise(() => response.text())
      assert.strictEqual(
        text,
        `event: message_start\ndata: ${JSON.stringify({ type: "message_start", message })}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`
      )
    })
  )

  it.effect("ends a stream that breaks with an error event", () =>
    Effect.gen(function* () {
      const broken = new ClaudeError({ reason: new StreamBroken({ detail: "it ended", body: null }) })
      const events = Stream.concat(Stream.make({ type: "ping" }), Stream.fail(broken))
      const fetch = governedFetch(yield* governed({ events }))
      const response = yield* Effect.promise(() => fetch(url, post({ ...request, stream: true })))
      assert.match(yield* Effect.promise(() => response.text()), /event: error\ndata: \{"type":"error".*api_error/)
    })
  )

  for (const streaming of [false, true]) {
    for (const [status, type, error] of failures) {
      it.effect(`answers ${type} in the API's own form${streaming ? ", streaming too" : ""}`, () =>
        Effect.gen(function* () {
          const fetch = governedFetch(yield* governed({ error }))
          const response = yield* Effect.promise(() => fetch(url, post({ ...request, stream: streaming })))
          assert.strictEqual(response.status, status)
          assert.strictEqual(response.headers.get("x-should-retry"), "false")
          const body = (yield* Effect.promise(() => response.json())) as typeof rejected.body & object
          assert.deepInclude(body, { type: "error" })
          assert.include(JSON.stringify(body), type)
        })
      )
    }
  }

  it.effect("gives the stream up when its reader or its caller does", () =>
    Effect.gen(function* () {
      for (const leave of ["cancel", "abort"] as const) {
        const ended = yield* Deferred.make<boolean>()
        const events = Stream.make({ type: "ping" }).pipe(
          Stream.concat(Stream.never),
          Stream.onExit((exit) => Deferred.succeed(ended, Exit.isFailure(exit)))
        )
        const controller = new AbortController()
        const fetch = governedFetch(yield* governed({ events }))
        const init = { ...post({ ...request, stream: true }), signal: controller.signal }
        const response = yield* Effect.promise(() => fetch(url, init))
        const reader = response.body?.getReader() ?? assert.fail("no body")
        yield* Effect.promise(() => reader.read())
        if (leave === "abort") controller.abort()
        else yield* Effect.promise(() => reader.cancel())
        assert.isTrue(yield* Deferred.await(ended), leave)
      }
    })
  )

  it.effect("an abort while waiting rejects with its reason", () =>
    Effect.gen(function* () {
      const layer = Layer.mock(Governor, { run: () => Effect.never })
      const runtime = ManagedRuntime.make(layer)
      const controller = new AbortController()
      const pending = governedFetch(runtime)(url, { ...post(request), signal: controller.signal })
      controller.abort(new Error("enough"))
      const error = yield* Effect.flip(Effect.tryPromise(() => pending))
      assert.strictEqual((error.cause as Error).message, "enough")
    })
  )

  it.effect("leaves everything else alone", () =>
    Effect.gen(function* () {
      const passed: Array<string> = []
      const otherwise = async (input: string | URL | Request) => {
        passed.push(new Request(input).url)
        return new Response("through")
      }
      const fetch = governedFetch(yield* governed({}), {}, otherwise)
      const others: ReadonlyArray<readonly [string, RequestInit?]> = [
        ["https://api.anthropic.com/v1/models"],
        ["https://api.anthropic.com/v1/messages/count_tokens", post(request)],
        ["https://api.anthropic.com/v1/messages", post({ model: 3 })],
        ["https://api.anthropic.com/v1/messages", { method: "POST", body: "{" }]
      ]
      for (const [address, init] of others) {
        const response = yield* Effect.promise(() => fetch(address, init))
        assert.strictEqual(yield* Effect.promise(() => response.text()), "through")
      }
      assert.strictEqual(passed.length, others.length)
    })
  )
})
