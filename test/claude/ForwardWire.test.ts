import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import { buffer } from "node:stream/consumers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema, Stream } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import type { Forward } from "../../src/claude/ClaudeService.ts"
import { frameParser } from "../../src/claude/Frames.ts"
import { originalOf } from "../../src/domain/Original.ts"

interface Seen {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A server that keeps what it was sent, and answers as it is told. */
const upstream = (reply: (response: ServerResponse) => void) =>
  Effect.gen(function* () {
    const seen: Array<Seen> = []
    let closed = 0
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const created = createServer(async (request, response) => {
          response.on("close", () => {
            if (!response.writableEnded) closed++
          })
          seen.push({ url: request.url ?? "", headers: request.headers, body: await buffer(request) })
          reply(response)
        }).listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
      }),
      (created) =>
        Effect.sync(() => {
          created.closeAllConnections()
          created.close()
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return { seen, closed: () => closed, baseUrl: `http://127.0.0.1:${port}/prefix` }
  })

const message =
  '{ "id":"msg_1","type":"message", "role":"assistant","model":"m","content":[],\n"usage":{"input_tokens":1e0}}'

const json = (response: ServerResponse) => response.writeHead(200, { "content-type": "application/json" }).end(message)

const request = { model: "m", max_tokens: 1, messages: [] }
const forward = (body: string, more: Partial<Forward> = {}): Forward => ({
  body: Buffer.from(body),
  query: "",
  scheme: "x-api-key",
  ...more
})

const claudeAt = (baseUrl: string) => Claude.layerAnthropic({ baseUrl, apiKey: Redacted.make("sk-server") })

describe("a forwarded call", () => {
  it.live("sends the bytes, the query and every header as they came, and remembers the answer's bytes", () =>
    Effect.gen(function* () {
      const { baseUrl, seen } = yield* upstream(json)
      const body = '{"max_tokens":1.0e0,\t"model":"m"  ,"messages":[],"é":"\\u00e9"}'
      const answer = yield* Claude.use((claude) =>
        claude.send(request, {
          headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "x-unknown": "kept" },
          forward: forward(body, { query: "?beta=true&x=%20" })
        })
      ).pipe(Effect.provide(claudeAt(baseUrl)))
      assert.strictEqual(originalOf(answer.message)?.toString(), message)
      const [sent] = seen
      assert.strictEqual(sent?.url, "/prefix/v1/messages?beta=true&x=%20")
      assert.strictEqual(sent?.body.toString(), body)
      assert.strictEqual(sent?.headers["anthropic-version"], "2023-06-01")
      assert.strictEqual(sent?.headers["anthropic-beta"], "a,b")
      assert.strictEqual(sent?.headers["x-unknown"], "kept")
      assert.strictEqual(sent?.headers["x-api-key"], "sk-server")
      assert.isUndefined(sent?.headers.authorization)
      assert.isUndefined(sent?.headers["user-agent"])
    }).pipe(Effect.scoped)
  )

  it.live("presents the caller's key the way the caller did, and not the server's", () =>
    Effect.gen(function* () {
      const { baseUrl, seen } = yield* upstream(json)
      const call = (apiKey: string, scheme: Forward["scheme"]) =>
        Claude.use((claude) =>
          claude.send(request, { apiKey: Redacted.make(apiKey), forward: forward("{}", { scheme }) })
        )
      yield* Effect.all([call("sk-a", "bearer"), call("sk-b", "x-api-key"), call("sk-ant-oat-c", "x-api-key")]).pipe(
        Effect.provide(claudeAt(baseUrl))
      )
      assert.deepStrictEqual(
        seen.map(({ headers }) => [headers.authorization, headers["x-api-key"]]),
        [
          ["Bearer sk-a", undefined],
          [undefined, "sk-b"],
          ["Bearer sk-ant-oat-c", undefined]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("writes the request anew when it was changed", () =>
    Effect.gen(function* () {
      const { baseUrl, seen } = yield* upstream(json)
      yield* Claude.use((claude) => claude.send(request, { forward: { ...forward(""), body: undefined } })).pipe(
        Effect.provide(claudeAt(baseUrl))
      )
      assert.deepStrictEqual(JSON.parse(seen[0]?.body.toString() ?? ""), request)
    }).pipe(Effect.scoped)
  )

  it.live("keeps a refusal's status, headers and bytes", () =>
    Effect.gen(function* () {
      const refusal = '{"type":"error",  "error":{"type":"overloaded_error","message":"Overloaded"}}'
      const { baseUrl } = yield* upstream((response) =>
        response.writeHead(529, { "content-type": "application/json", "request-id": "req_9" }).end(refusal)
      )
      const { reason } = yield* Claude.use((claude) => claude.send(request, { forward: forward("{}") })).pipe(
        Effect.provide(claudeAt(baseUrl)),
        Effect.flip
      )
      assert.strictEqual(reason._tag, "Overloaded")
      if (reason._tag !== "Overloaded") return
      assert.strictEqual(originalOf(reason.body)?.toString(), refusal)
      assert.strictEqual(reason.requestId, "req_9")
    }).pipe(Effect.scoped)
  )

  it.live("hands on a stream in its own bytes, and hangs up when its reader does", () =>
    Effect.gen(function* () {
      const frames = [
        'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n',
        ": still there\n\n",
        'event: ping\ndata:   {"type": "ping"}\n\n',
        'event: whatever\r\ndata: {"type":"whatever","é":1}\r\n\r\n'
      ]
      const { baseUrl, closed } = yield* upstream((response) => {
        response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
        for (const frame of frames) response.write(frame)
      })
      const events = yield* Claude.use((claude) => claude.stream(request, { forward: forward("{}") })).pipe(
        Effect.flatMap(({ events }) => Stream.runCollect(Stream.take(events, frames.length))),
        Effect.scoped,
        Effect.provide(claudeAt(baseUrl))
      )
      assert.deepStrictEqual(
        events.map((event) => [event.type, originalOf(event)?.toString()]),
        frames.map((frame, index) => [["message_start", "ping", "ping", "whatever"][index], frame])
      )
      while (closed() === 0) yield* Effect.sleep("5 millis")
    }).pipe(Effect.scoped)
  )

  it.live("says that upstream cannot be reached", () =>
    Effect.gen(function* () {
      const { reason } = yield* Claude.use((claude) => claude.send(request, { forward: forward("{}") })).pipe(
        Effect.provide(claudeAt("http://127.0.0.1:1")),
        Effect.flip
      )
      assert.strictEqual(reason._tag, "Unreachable")
    })
  )

  it.live("relays anything else, whatever its status", () =>
    Effect.gen(function* () {
      const { baseUrl, seen } = yield* upstream((response) => response.writeHead(418, { a: "b" }).end("short"))
      const answer = yield* Claude.use((claude) =>
        claude.relay === undefined
          ? Effect.die("no relay")
          : claude.relay({
              method: "GET",
              path: "/v1/models",
              query: "?limit=1000",
              headers: {},
              body: undefined,
              apiKey: undefined,
              scheme: "bearer",
              answerMillis: 1000
            })
      ).pipe(Effect.provide(claudeAt(baseUrl)))
      assert.strictEqual(answer.status, 418)
      assert.strictEqual(Buffer.from(answer.body).toString(), "short")
      assert.strictEqual(answer.headers.a, "b")
      assert.strictEqual(seen[0]?.url, "/prefix/v1/models?limit=1000")
    }).pipe(Effect.scoped)
  )
})

const piece = Schema.Literals([
  "data: {}\n\n",
  "\n",
  "\r\n",
  "\r",
  "event: é\n",
  "data: x\r\n\r\n",
  ": c\n\n",
  "data:1\n\r\n",
  "a"
])
const step = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))

describe("frames", () => {
  it.effect.prop("lose no byte, wherever the stream is cut", [Schema.Array(piece), step], ([parts, width]) =>
    Effect.sync(() => {
      const bytes = Buffer.from(`${parts.join("")}\n\ndata: end\n\n`)
      const parser = frameParser()
      const events = []
      for (let at = 0; at < bytes.length; at += width) events.push(...parser.push(bytes.subarray(at, at + width)))
      assert.deepStrictEqual(Buffer.concat(events.map((event) => originalOf(event) ?? Buffer.from("?"))), bytes)
    })
  )

  const usual = (event: object): string => `event: x\ndata: ${JSON.stringify(event)}\n\n`
  const data = Schema.Literals([
    usual({ type: "a", text: "plain" }),
    usual({ type: "b", text: "é – 🙂" }),
    usual({ text: "no type" }),
    'event: x\ndata: {"type":"c"},{"type":"d"}\n\n',
    "event: x\ndata: not json\n\n",
    'event: x\ndata: {"type":"e",\ndata: "two":"lines"}\n\n',
    'data: {"type":"nameless"}\n\n',
    ": comment\n\n"
  ])

  it.effect.prop("are the same events, however many come at once", [Schema.Array(data)], ([parts]) =>
    Effect.sync(() => {
      const bytes = Buffer.from(parts.join(""))
      const alone = frameParser()
      assert.deepStrictEqual(
        frameParser().push(bytes),
        parts.flatMap((part) => alone.push(Buffer.from(part)))
      )
    })
  )
})
