import { gunzipSync, gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { answering, body, eventually, frames, message, model, post, send, serverKey, tapped, Wiretap } from "./world.ts"

const last = Effect.map(Wiretap, ({ seen }) => {
  const found = seen.at(-1)
  if (found === undefined) throw new Error("upstream was not asked")
  return found
})

const space = Schema.Literals(["", " ", "\n", "\t ", "\r\n  "])
const scalar = Schema.Literals([
  "0",
  "-0",
  "1.0",
  "1e3",
  "1E+2",
  "0.10",
  "123456789012345678901234567890",
  "true",
  "null",
  '"\\u00e9é\\/"',
  '"\\ud83d\\ude00"',
  '""'
])
const name = Schema.Literals(["a", "temperature", "\\u0041", "x-y", "metadata"])

/** JSON text as nobody's serialiser writes it: odd spaces, numbers and escapes, repeated keys. */
const written = (parts: ReadonlyArray<readonly [string, string, string]>, id: number): string => {
  const fields = parts.map(
    ([key, value, gap]) => `${gap}"${key}"${gap}:${gap}[${value},${gap}{"${key}":${value}}]${gap}`
  )
  const known = `"model":"${model}","max_tokens":1e2,"messages":[{"role":"user","content":"n ${id}"}]`
  return `{${[...fields, known].join(",")}}\n`
}

let count = 0

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped())("a request", (it) => {
    it.effect.prop(
      "arrives byte for byte, however it was written",
      [Schema.Array(Schema.Tuple([name, scalar, space])).check(Schema.isMaxLength(6))],
      ([parts]) =>
        Effect.gen(function* () {
          const text = written(parts, ++count)
          const answer = yield* post(text)
          assert.strictEqual(answer.status, 200)
          assert.strictEqual((yield* last).body.toString(), text)
        }),
      { arbitrary: { runs: 60 } }
    )

    it.effect("keeps its query, its headers and unknown fields; what belongs to the connection stays", () =>
      Effect.gen(function* () {
        yield* send("/v1/messages?beta=true&x=%20y", {
          body: body({ unheard_of: { deep: [1] } }),
          headers: {
            "anthropic-version": "2099-01-01",
            "anthropic-beta": "one-2026,two-2027",
            "anthropic-new": "kept",
            "x-stainless-retry-count": "0",
            "x-claude-code-session-id": "s1",
            "user-agent": "A client/1.0",
            "x-sluice-agent": "mine",
            cookie: "a=b",
            "x-forwarded-for": "10.0.0.1",
            "x-api-key": "sk-ant-mine"
          }
        })
        const { body: sent, headers, url } = yield* last
        assert.strictEqual(url, "/v1/messages?beta=true&x=%20y")
        assert.deepStrictEqual(JSON.parse(sent.toString()).unheard_of, { deep: [1] })
        assert.strictEqual(headers["anthropic-version"], "2099-01-01")
        assert.strictEqual(headers["anthropic-beta"], "one-2026,two-2027")
        assert.strictEqual(headers["anthropic-new"], "kept")
        assert.strictEqual(headers["x-stainless-retry-count"], "0")
        assert.strictEqual(headers["x-claude-code-session-id"], "s1")
        assert.strictEqual(headers["user-agent"], "A client/1.0")
        assert.strictEqual(headers["x-api-key"], "sk-ant-mine")
        for (const gone of ["x-sluice-agent", "cookie", "x-forwarded-for", "authorization"]) {
          assert.isUndefined(headers[gone])
        }
      })
    )

    it.effect("that came compressed is understood, and goes on compressed", () =>
      Effect.gen(function* () {
        const asked = body()
        const bytes = gzipSync(JSON.stringify(asked))
        const answer = yield* post(bytes, { "content-encoding": "gzip" })
        assert.strictEqual(answer.status, 200)
        const sent = yield* last
        assert.strictEqual(sent.headers["content-encoding"], "gzip")
        assert.deepStrictEqual(JSON.parse(gunzipSync(sent.body).toString()), asked)
        const bomb = yield* post(gzipSync(Buffer.alloc(40 * 1024 * 1024)), { "content-encoding": "gzip" })
        assert.strictEqual(bomb.status, 413)
        assert.strictEqual((yield* post("{}", { "content-encoding": "gzip" })).status, 400)
        assert.strictEqual((yield* post("{}", { "content-encoding": "rot13" })).status, 400)
      })
    )
  })

  it.layer(tapped())("an answer", (it) => {
    it.effect("comes back byte for byte, with upstream's headers", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const text = `{ "x":1.0, ${JSON.stringify(message({ later: "field" })).slice(1)}\n`
        tap.reply.current = (response) =>
          response
            .writeHead(200, {
              "content-type": "application/json",
              "request-id": "req_up",
              "anthropic-organization-id": "org",
              "anthropic-ratelimit-requests-remaining": "9",
              "x-new": "kept",
              "set-cookie": "no=1",
              server: "cloudflare"
            })
            .end(text)
        const answer = yield* post(body())
        assert.strictEqual(answer.text, text)
        assert.strictEqual(answer.headers.get("request-id"), "req_up")
        assert.strictEqual(answer.headers.get("anthropic-organization-id"), "org")
        assert.strictEqual(answer.headers.get("anthropic-ratelimit-requests-remaining"), "9")
        assert.strictEqual(answer.headers.get("x-new"), "kept")
        assert.isNull(answer.headers.get("set-cookie"))
        assert.isNull(answer.headers.get("server"))
      })
    )

    it.effect("that refuses keeps its status, body, request-id and retry-after", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const refusal = '{"type":"error",   "error":{"type":"new_error","message":"é"},"request_id":"req_no"}'
        const cases = [
          [400, "application/json", refusal],
          [418, "text/html", "<html>teapot</html>"],
          [500, "application/json", refusal],
          [529, "application/json", '{"odd":true}']
        ] as const
        for (const [status, type, text] of cases) {
          tap.reply.current = (response) =>
            response
              .writeHead(status, {
                "content-type": type,
                "request-id": "req_no",
                "retry-after": "3",
                "x-should-retry": "true"
              })
              .end(text)
          const answer = yield* post(body({ stream: status === 500 }))
          assert.strictEqual(answer.status, status)
          assert.strictEqual(answer.text, text)
          assert.strictEqual(answer.headers.get("content-type"), type)
          assert.strictEqual(answer.headers.get("request-id"), "req_no")
          assert.strictEqual(answer.headers.get("retry-after"), "3")
          assert.strictEqual(answer.headers.get("x-should-retry"), "true")
        }
      })
    )

    it.effect("that streams comes back byte for byte, pings and all", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const odd = [
          frames[0],
          ": a comment\n\n",
          'event: new_thing\ndata: {"type":"new_thing", "n": 1.0}\n\n',
          ...frames.slice(1)
        ]
        tap.reply.current = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "request-id": "req_s" })
          for (const part of odd) response.write(part)
          response.end()
        }
        const answer = yield* post(body({ stream: true }))
        assert.strictEqual(answer.text, odd.join(""))
        assert.strictEqual(answer.headers.get("request-id"), "req_s")
        assert.strictEqual(answer.headers.get("content-type"), "text/event-stream; charset=utf-8")
      })
    )

    it.effect("that was not asked for by this client's key is not given to it", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = answering({})
        const asked = body()
        const caches = []
        for (const key of ["sk-ant-a", "sk-ant-a", "sk-ant-b"]) {
          caches.push((yield* post(asked, { "x-api-key": key })).headers.get("x-sluice-cache"))
        }
        caches.push((yield* post(asked)).headers.get("x-sluice-cache"))
        caches.push((yield* post(asked, { "anthropic-version": "2026-10-21" })).headers.get("x-sluice-cache"))
        assert.deepStrictEqual(caches, ["miss", "hit", "miss", "miss", "miss"])
        assert.strictEqual((yield* last).headers["x-api-key"], serverKey)
      })
    )
  })

  it.layer(tapped({ settings: { modelRouting: true } }))("a request that is changed", (it) => {
    it.effect("is written anew, with everything that was not changed", () =>
      Effect.gen(function* () {
        const asked = body({ model: "claude-opus-5-5", metadata: { user_id: "u" }, odd: 1 })
        const answer = yield* post(asked, { "x-sluice-task": "classification" })
        assert.strictEqual(answer.status, 200)
        const sent = JSON.parse((yield* last).body.toString())
        assert.notStrictEqual(sent.model, asked.model)
        assert.deepStrictEqual({ ...sent, model: asked.model }, asked)
        assert.strictEqual(answer.headers.get("x-sluice-model"), sent.model)
      })
    )

    it.effect("keeps whole numbers that no double holds", () =>
      Effect.gen(function* () {
        const id = "-1234567890123456789"
        const asked = JSON.stringify(body({ model: "claude-opus-5-5", metadata: { id: "ID" } })).replace('"ID"', id)
        yield* post(asked, { "x-sluice-task": "classification" })
        assert.include((yield* last).body.toString(), `"metadata":{"id":${id}}`)
      })
    )

    it.effect("is plain again, though it came compressed", () =>
      Effect.gen(function* () {
        const asked = gzipSync(JSON.stringify(body({ model: "claude-opus-5-5" })))
        yield* post(asked, { "content-encoding": "gzip", "x-sluice-task": "classification" })
        const sent = yield* last
        assert.notStrictEqual(JSON.parse(sent.body.toString()).model, "claude-opus-5-5")
        assert.isUndefined(sent.headers["content-encoding"])
      })
    )
  })

  it.layer(tapped())("other routes", (it) => {
    it.effect("pass on what they get, both ways", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = (response) =>
          response.writeHead(203, { "content-type": "application/json", "x-up": "1" }).end('{"input_tokens":  7}')
        const counted = yield* send("/v1/messages/count_tokens?beta=true", { body: '{"odd" : true}' })
        assert.strictEqual(counted.status, 203)
        assert.strictEqual(counted.text, '{"input_tokens":  7}')
        assert.strictEqual(counted.headers.get("x-up"), "1")
        assert.strictEqual((yield* last).url, "/v1/messages/count_tokens?beta=true")
        assert.strictEqual((yield* last).body.toString(), '{"odd" : true}')
        yield* send("/v1/models?limit=1000")
        assert.strictEqual((yield* last).url, "/v1/models?limit=1000")
        assert.strictEqual((yield* last).method, "GET")
        yield* send("/v1/models/claude%20x")
        assert.strictEqual((yield* last).url, "/v1/models/claude%20x")
        yield* eventually(() => tap.seen.length === 3)
      })
    )

    it.effect("say in upstream's words that they are not there", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const before = tap.seen.length
        const unknown = yield* send("/v1/messages/batches", { body: {} })
        assert.strictEqual(unknown.status, 404)
        assert.strictEqual(unknown.json.error.type, "not_found_error")
        const wrong = yield* send("/v1/messages")
        assert.strictEqual(wrong.status, 405)
        assert.strictEqual(wrong.headers.get("allow"), "POST")
        assert.strictEqual(wrong.json.type, "error")
        for (const path of ["/", "/api/hello"]) {
          assert.strictEqual((yield* send(path, { method: "HEAD" })).status, 200)
        }
        const preflight = yield* send("/v1/messages", {
          method: "OPTIONS",
          headers: { origin: "https://evil.example" }
        })
        assert.isNull(preflight.headers.get("access-control-allow-origin"))
        assert.strictEqual(tap.seen.length, before)
      })
    )
  })
})
