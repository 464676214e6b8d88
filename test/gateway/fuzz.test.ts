import { connect } from "node:net"
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { Events } from "../../src/events/Events.ts"
import { Addresses, body, post, send, world } from "./world.ts"

const odd = Schema.Union([Schema.Null, Schema.Boolean, Schema.Finite, Schema.String, Schema.Array(Schema.Finite)])
const fields = Schema.Literals([
  "model",
  "max_tokens",
  "messages",
  "system",
  "tools",
  "stream",
  "thinking",
  "metadata",
  "cache_control",
  "tool_choice",
  "__proto__",
  "constructor"
])
const block = Schema.Struct({
  type: Schema.Literals(["text", "tool_use", "tool_result", "thinking", "image", "new"]),
  text: Schema.optionalKey(odd),
  id: Schema.optionalKey(odd),
  content: Schema.optionalKey(odd)
})
const oddMessage = Schema.Struct({
  role: Schema.Literals(["user", "assistant", "system", "tool"]),
  content: Schema.Union([odd, Schema.Array(block)])
})

const known = (status: number) => status === 200 || (status >= 400 && status < 500)

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(world())("whatever is sent", (it) => {
    it.effect.prop(
      "bodies of odd fields get an answer of the API, never a 500",
      [Schema.Array(Schema.Tuple([fields, odd])).check(Schema.isMaxLength(5)), Schema.Boolean],
      ([changes, stream]) =>
        Effect.gen(function* () {
          const answer = yield* post({ ...body({ stream }), ...Object.fromEntries(changes) })
          assert.isTrue(known(answer.status), `${answer.status} ${answer.text}`)
          if (answer.status !== 200) assert.strictEqual(answer.json.type, "error")
          const degraded = (yield* (yield* Events).recent).filter(({ event }) => event._tag === "AlertRaised")
          assert.notInclude(JSON.stringify(degraded), "requests go on without it")
        }),
      { arbitrary: { runs: 80 } }
    )

    it.effect.prop(
      "messages of odd blocks too",
      [Schema.Array(oddMessage).check(Schema.isMaxLength(4))],
      ([messages]) =>
        Effect.gen(function* () {
          for (const context of ["off", "compact"]) {
            const answer = yield* post(body({ messages }), { "x-sluice-context": context })
            assert.isTrue(known(answer.status), `${answer.status} ${answer.text}`)
          }
        }),
      { arbitrary: { runs: 60 } }
    )

    it.effect("texts that are no JSON, methods and paths that are none", () =>
      Effect.gen(function* () {
        for (const text of [
          "",
          "{",
          "null",
          "[]",
          '"x"',
          "\u0000",
          "{".repeat(100_000),
          `{"a":${"[".repeat(50_000)}`
        ]) {
          const answer = yield* post(text)
          assert.strictEqual(answer.status, 400, text.slice(0, 10))
          assert.strictEqual(answer.json.error.type, "invalid_request_error")
        }
        for (const path of [
          "/v1",
          "/v1/",
          "/v1//messages",
          "/v1/messages/",
          "/v1/%00",
          "/v1/messages/../x",
          "/v1/%E0%A4%A"
        ]) {
          for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
            const answer = yield* send(path, { method, ...(method === "GET" ? {} : { body: "{}" }) })
            assert.isTrue(answer.status >= 400 && answer.status < 500, `${method} ${path}: ${answer.status}`)
          }
        }
      })
    )

    it.effect("a body that is too large, said or not", () =>
      Effect.gen(function* () {
        const large = yield* post(`"${"x".repeat(33 * 1024 * 1024)}"`)
        assert.strictEqual(large.status, 413)
        assert.strictEqual(large.json.error.type, "request_too_large")
      })
    )
  })

  /** Writes raw bytes and reads until the server closes, or is silent for a while. */
  const raw = (text: string, patience = 1_000) =>
    Effect.flatMap(Addresses, ({ gateway }) =>
      Effect.callback<string>((resume) => {
        const { hostname, port } = new URL(gateway)
        const socket = connect(Number(port), hostname)
        let read = ""
        const done = () => {
          socket.destroy()
          resume(Effect.succeed(read))
        }
        socket.setTimeout(patience, done)
        socket.on("data", (chunk) => {
          read += chunk
        })
        socket.on("close", done)
        socket.on("error", done)
        socket.write(text)
      })
    )

  const small = JSON.stringify({
    model: "claude-sonnet-5-5",
    max_tokens: 5,
    messages: [{ role: "user", content: "hi" }]
  })

  it.layer(world())("on the wire", (it) => {
    it.effect("two lengths, or a length and chunks, are one bad request and not two good ones", () =>
      Effect.gen(function* () {
        const start = "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        const hidden = "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        const attacks = [
          `${start}content-length: 5\r\ncontent-length: 6\r\n\r\n12345${hidden}`,
          `${start}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
          `${start}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
          `${start}content-length : 0\r\n\r\n${hidden}`,
          `${start}transfer-encoding\r\n : chunked\r\n\r\n0\r\n\r\n${hidden}`
        ]
        for (const attack of attacks) {
          const answer = yield* raw(attack)
          assert.match(answer, /^HTTP\/1\.1 400 /)
          assert.strictEqual(answer.split("HTTP/1.1 ").length, 2)
        }
      })
    )

    it.effect("a client that waits for `100 Continue` gets it, and its answer", () =>
      Effect.gen(function* () {
        const head = `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nanthropic-version: 2023-06-01\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${small.length}\r\n\r\n`
        const answer = yield* raw(head + small)
        assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
      })
    )

    it.effect("chunks are put together; what ends in the middle is not answered", () =>
      Effect.gen(function* () {
        const head =
          "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nanthropic-version: 2023-06-01\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        const chunks = [...small].map((char) => `1\r\n${char}\r\n`).join("")
        assert.match(yield* raw(`${head}${chunks}0\r\n\r\n`), /^HTTP\/1\.1 200 /)
        assert.strictEqual(yield* raw(`${head}${chunks}`, 300), "")
      })
    )
  })
})
