import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { ChatRepoError, ConversationNotFound } from "../../src/chat/ChatRepo.ts"
import { ClaudeError, Overloaded, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { ContextTooLarge } from "../../src/context/ContextManager.ts"
import { BudgetExceeded } from "../../src/costs/CostTracker.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { RateLimitError } from "../../src/limits/TokenRateLimiter.ts"
import {
  InvalidMessage,
  type OrchestratorError,
  TooManyToolRounds,
  type TurnEvent
} from "../../src/orchestrator/Orchestrator.ts"
import { call, done, events, json, server, type Turn } from "./fakes.ts"

const text = (delta: string): TurnEvent => ({ _tag: "TextDelta", text: delta })

const send = (turn: Turn) =>
  call("POST", "/api/conversations/c1/messages", { body: { content: "hi" } }).pipe(Effect.provide(server({ turn })))

const answered = { status: 529, body: { secret: "of upstream" }, headers: {}, requestId: null }

const failures: ReadonlyArray<readonly [status: number, slug: string, OrchestratorError]> = [
  [404, "conversation-not-found", new ConversationNotFound({ conversation: "c1" })],
  [503, "database-unavailable", new ChatRepoError({ operation: "append", reason: "host db:5432", retryable: true })],
  [422, "context-too-large", new ContextTooLarge({ conversation: "c1", seq: 4, tokens: 60_000, limit: 50_000 })],
  [400, "invalid-request", new InvalidMessage({ message: "The message is empty. Write something." })],
  [502, "too-many-tool-rounds", new TooManyToolRounds({ rounds: 50 })],
  [
    402,
    "budget-exceeded",
    new BudgetExceeded({ budget: "day", limit: nanoUsd(5), spent: nanoUsd(5), resetsAt: 9, message: "Budget used up." })
  ],
  [
    429,
    "rate-limited",
    new RateLimitError({ reason: "QueueFull", model: "m", message: "The queue is full.", retryAfterMillis: 10 })
  ],
  [
    422,
    "request-larger-than-limit",
    new RateLimitError({ reason: "TooLarge", model: "m", message: "Larger than the limit.", retryAfterMillis: 0 })
  ],
  [503, "upstream-unavailable", new ClaudeError({ reason: new Overloaded({ ...answered, retryAfterMillis: 5 }) })],
  [502, "upstream-failed", new ClaudeError({ reason: new StreamBroken({ detail: "it ended", body: null }) })]
]

describe("a turn", () => {
  it.effect("streams text, tools and a final message with usage, cost and context", () =>
    Effect.gen(function* () {
      const turn = Stream.make(
        text("Hel"),
        text("lo\nthere"),
        { _tag: "ToolCall", id: "t1", name: "list_agents", input: { all: true } } as const,
        { _tag: "ToolResult", id: "t1", isError: false, content: "none" } as const,
        done
      )
      const answer = yield* send(turn)
      assert.strictEqual(answer.status, 200)
      assert.match(answer.headers["content-type"] ?? "", /^text\/event-stream/)
      const told = events(answer.text)
      assert.deepStrictEqual(
        told.map(({ event }) => event),
        ["text_delta", "text_delta", "tool_call", "tool_result", "message"]
      )
      assert.deepStrictEqual(told[1]?.data, { text: "lo\nthere" })
      assert.deepStrictEqual(told[2]?.data, { id: "t1", name: "list_agents", input: { all: true } })
      assert.deepStrictEqual(told[4]?.data.usage, {
        input: 200,
        cacheWrite5m: 40,
        cacheWrite1h: 0,
        cacheRead: 60,
        output: 20
      })
      assert.deepStrictEqual(told[4]?.data.cost, { nanoUsd: 1_500_000, usd: 0.0015 })
      assert.strictEqual(told[4]?.data.context.reduction, 0.5)
      assert.strictEqual(told[4]?.data.requests.length, 2)
    })
  )

  for (const [status, slug, error] of failures) {
    it.effect(`that fails with ${error._tag} before its first event is a ${status} ${slug}`, () =>
      Effect.gen(function* () {
        const answer = yield* send(Stream.fail(error))
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json")
        const body = json(answer)
        assert.deepInclude(body, { type: `urn:sluice:problem:${slug}`, status })
        assert.isNotEmpty(body.detail)
      })
    )

    it.effect(`that fails with ${error._tag} later ends with the same problem as an event`, () =>
      Effect.gen(function* () {
        const answer = yield* send(Stream.concat(Stream.make(text("a")), Stream.fail(error)))
        assert.strictEqual(answer.status, 200)
        const last = events(answer.text).at(-1)
        assert.strictEqual(last?.event, "error")
        assert.deepInclude(last?.data, { type: `urn:sluice:problem:${slug}`, status })
      })
    )
  }

  it.effect("never shows what only the log may know", () =>
    Effect.gen(function* () {
      const hidden = yield* send(Stream.fail(failures[1]?.[2] ?? assert.fail()))
      assert.notInclude(hidden.text, "5432")
      for (const turn of [
        Stream.die(new Error("secret at line 3")),
        Stream.concat(Stream.make(text("a")), Stream.die("secret"))
      ]) {
        const answer = yield* send(turn)
        assert.include(answer.text, "urn:sluice:problem:internal-error")
        assert.notInclude(answer.text, "secret")
        assert.notInclude(answer.text, "    at ")
      }
    })
  )

  it.effect("is interrupted when the client goes away", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<string>()
      const turn = Stream.make(text("a")).pipe(
        Stream.concat(Stream.never),
        Stream.onExit((exit) => Deferred.succeed(ended, exit._tag))
      )
      yield* Effect.gen(function* () {
        const request = HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post("/api/conversations/c1/messages"), {
          content: "hi"
        })
        const response = yield* HttpClient.execute(request)
        yield* Stream.runHead(response.stream)
        assert.strictEqual(yield* Deferred.await(ended), "Failure")
      }).pipe(Effect.provide(server({ turn })))
    })
  )
})
