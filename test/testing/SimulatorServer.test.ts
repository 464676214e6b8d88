import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import * as SimulatorServer from "../../src/testing/SimulatorServer.ts"
import { baseUrl } from "../claude/sockets.ts"
import { ask } from "./simulatorSupport.ts"

const headers = { "x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json" }

const http = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(baseUrl, (url) =>
    Effect.promise(async () => {
      const response = await fetch(url + path, { headers, ...init })
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: text.startsWith("{") ? JSON.parse(text) : null
      }
    })
  )
const post = (path: string, body: unknown, init: RequestInit = {}) =>
  http(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), ...init })

const server = SimulatorServer.layer({ port: 0, shutdown: "1 millis" })

describe("SimulatorServer", () => {
  it.live("answers whole, counts, and lists models", () =>
    Effect.gen(function* () {
      const answer = yield* post("/v1/messages?beta=true", ask("hello"))
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.body.content[0].text, "Simulated answer to: hello")
      assert.strictEqual(answer.headers.get("request-id")?.startsWith("req_"), true)
      const { max_tokens: _, ...counted } = ask("hello")
      const count = yield* post("/v1/messages/count_tokens", counted)
      assert.strictEqual(count.body.input_tokens, answer.body.usage.input_tokens)
      const models = yield* http("/v1/models?limit=1000")
      assert.isAbove(models.body.data.length, 10)
      const one = yield* http("/v1/models/claude-haiku-4-5")
      assert.deepStrictEqual([one.body.id, one.body.max_input_tokens], ["claude-haiku-4-5-20251001", 200_000])
      assert.strictEqual((yield* http("/v1/models/gpt-9")).status, 404)
    }).pipe(Effect.provide(server))
  )

  it.live("frames events as upstream does", () =>
    Effect.gen(function* () {
      const { headers: answered, text } = yield* post("/v1/messages", { ...ask("hello"), stream: true })
      assert.include(answered.get("content-type"), "text/event-stream")
      const frames = text.trimEnd().split("\n\n")
      assert.match(frames[0] ?? "", /^event: message_start\ndata: \{"type":"message_start",/)
      assert.strictEqual(frames[1], 'event: ping\ndata: {"type":"ping"}')
      assert.strictEqual(frames.at(-1), 'event: message_stop\ndata: {"type":"message_stop"}')
    }).pipe(Effect.provide(server))
  )

  it.live("refuses in upstream's words", () =>
    Effect.gen(function* () {
      const typeOf = (effect: ReturnType<typeof post>) =>
        Effect.map(effect, ({ body, status }) => [status, body.error.type])
      const { "x-api-key": _, ...keyless } = headers
      const { "anthropic-version": __, ...unversioned } = headers
      assert.deepStrictEqual(yield* typeOf(post("/v1/messages", ask("x"), { headers: keyless })), [
        401,
        "authentication_error"
      ])
      assert.deepStrictEqual(yield* typeOf(post("/v1/messages", ask("x"), { headers: unversioned })), [
        400,
        "invalid_request_error"
      ])
      assert.deepStrictEqual(yield* typeOf(post("/v1/messages", "{oops")), [400, "invalid_request_error"])
      assert.deepStrictEqual(yield* typeOf(post("/v1/messages", {})), [400, "invalid_request_error"])
      assert.deepStrictEqual(
        yield* typeOf(
          post("/v1/messages", ask("x", { temperature: 1 }), {
            headers: { ...headers, "anthropic-version": "2026-10-21" }
          })
        ),
        [400, "invalid_request_error"]
      )
      assert.deepStrictEqual(yield* typeOf(post("/v1/complete", {})), [404, "not_found_error"])
      const huge = JSON.stringify(ask("x".repeat(33 * 1024 * 1024)))
      assert.deepStrictEqual(yield* typeOf(post("/v1/messages", huge)), [413, "request_too_large"])
    }).pipe(Effect.provide(server))
  )

  it.live("is there for whoever asks", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* http("/", { method: "HEAD" })).status, 200)
      assert.strictEqual((yield* http("/api/hello", { method: "HEAD" })).status, 200)
    }).pipe(Effect.provide(server))
  )

  it.live("is driven and audited from another process", () =>
    Effect.gen(function* () {
      const queued = yield* post("/simulator/faults", { fault: { _tag: "Refuse", status: 529 }, times: 2 })
      assert.strictEqual(queued.status, 204)
      yield* post("/simulator/script", {
        answers: [{ content: [{ type: "text", text: "scripted" }], outputTokens: 9 }]
      })
      assert.strictEqual((yield* post("/v1/messages", ask("x"))).status, 529)
      assert.strictEqual((yield* post("/v1/messages", ask("x"))).status, 529)
      const answer = yield* post("/v1/messages", ask("x"))
      assert.deepStrictEqual([answer.body.content[0].text, answer.body.usage.output_tokens], ["scripted", 9])
      const { body } = yield* http("/simulator/bill")
      assert.strictEqual(body.requests, 1)
      assert.strictEqual(body.total.output, 9)
      assert.strictEqual(body.entries[0].requestId, answer.headers.get("request-id"))
      assert.deepStrictEqual(body.byModel, { "claude-sonnet-5-5": body.total })
      assert.strictEqual((yield* post("/simulator/faults", { fault: { _tag: "Nonsense" } })).status, 400)
      for (const status of [0, 200, 9999]) {
        assert.strictEqual((yield* post("/simulator/faults", { fault: { _tag: "Refuse", status } })).status, 400)
      }
    }).pipe(Effect.provide(server))
  )

  it.live("counts the same over a socket as in process", () =>
    Effect.gen(function* () {
      const request = ask([{ type: "text", text: "one two three" }], { system: "be brief" })
      const url = yield* baseUrl
      const over = Claude.layerAnthropic({ baseUrl: url, apiKey: Redacted.make("k") })
      const usage = (layer: typeof Claude.layerSimulated) =>
        Effect.map(
          Effect.provide(
            Claude.use((claude) => claude.send(request)),
            layer
          ),
          ({ message }) => message.usage
        )
      assert.deepStrictEqual(yield* usage(over), yield* usage(Claude.layerSimulated))
    }).pipe(Effect.provide(server))
  )
})
