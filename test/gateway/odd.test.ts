import { gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { Addresses, body, frames, message, post, type Reply, send, tapped, Wiretap } from "./world.ts"

const replying = (reply: Reply) =>
  Effect.map(Wiretap, (tap) => {
    tap.seen.length = 0
    tap.reply.current = reply
    return tap.seen
  })

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ retries: true }))("an upstream that answers with something else", (it) => {
    it.effect("is not asked, and not paid, again and again", () =>
      Effect.gen(function* () {
        const whole: Reply = (response) =>
          response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(message()))
        const asStream: Reply = (response) =>
          response.writeHead(200, { "content-type": "text/event-stream" }).end(frames.join(""))
        const page: Reply = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>")
        const nothing: Reply = (response) => response.writeHead(204).end()
        const unpriced: Reply = (response) =>
          response
            .writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify({ ...message(), usage: null }))
        for (const [reply, stream] of [
          [whole, true],
          [asStream, false],
          [page, false],
          [nothing, false],
          [unpriced, false]
        ] as const) {
          const seen = yield* replying(reply)
          const answer = yield* post(body({ stream }))
          assert.strictEqual(answer.status, 502)
          assert.strictEqual(answer.json.error.type, "api_error")
          assert.strictEqual(seen.length, 1)
        }
      })
    )

    it.effect("may compress what it was asked to leave plain: who reads it hears so", () =>
      Effect.gen(function* () {
        const text = '{"input_tokens":3}'
        yield* replying((response) =>
          response
            .writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
            .end(gzipSync(text))
        )
        const answer = yield* send("/v1/messages/count_tokens", { body: body() })
        assert.strictEqual(answer.headers.get("content-encoding"), "gzip")
        assert.strictEqual(answer.text, text)
      })
    )

    it.effect("may refuse in no words of its own, and in no UTF-8: they come back as they are", () =>
      Effect.gen(function* () {
        const { gateway } = yield* Addresses
        for (const bytes of [Buffer.from('"oops"'), Buffer.from([0x3c, 0xe9, 0xff, 0x3e]), Buffer.from("")]) {
          yield* replying((response) => response.writeHead(400, { "content-type": "text/html" }).end(bytes))
          const asked = { method: "POST", body: JSON.stringify(body()) }
          const answer = yield* Effect.promise(() => fetch(`${gateway}/v1/messages`, asked))
          assert.strictEqual(answer.status, 400)
          assert.deepStrictEqual(Buffer.from(yield* Effect.promise(() => answer.arrayBuffer())), bytes)
        }
      })
    )

    it.effect("may point elsewhere: no client follows, with its token for this gateway", () =>
      Effect.gen(function* () {
        const seen = yield* replying((response, { url }) => {
          if (url.startsWith("/elsewhere")) return void response.end("{}")
          response.writeHead(307, { location: "/elsewhere" }).end()
        })
        const paths = ["/v1/messages", "/v1/messages/count_tokens"]
        for (const path of paths) {
          const answer = yield* send(path, { body: body() })
          assert.strictEqual(answer.status, 502)
          assert.isNull(answer.headers.get("location"))
          assert.include(answer.json.error.message, "ANTHROPIC_BASE_URL")
        }
        assert.deepStrictEqual(
          seen.map(({ url }) => url),
          paths
        )
      })
    )

    it.effect("opens the gateway to no other site, and does not speak in its name", () =>
      Effect.gen(function* () {
        yield* replying((response) =>
          response
            .writeHead(200, {
              "content-type": "application/json",
              "access-control-allow-origin": "*",
              "x-sluice-other": "1"
            })
            .end(JSON.stringify(message()))
        )
        const { headers } = yield* post(body())
        assert.isNull(headers.get("access-control-allow-origin"))
        assert.isNull(headers.get("x-sluice-other"))
      })
    )
  })

  it.layer(tapped())("a request that is odd", (it) => {
    it.effect("is answered whatever its model is called", () =>
      Effect.gen(function* () {
        const seen = yield* replying((response, { body }) => {
          const stream = JSON.parse(body.toString()).stream === true
          response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" })
          response.end(stream ? frames.join("") : JSON.stringify(message()))
        })
        for (const model of ["клод", "a\r\nx-b: 1", "\ud800", "a b", "x".repeat(100_000)]) {
          for (const stream of [false, true]) {
            const answer = yield* post(body({ model, stream }))
            assert.strictEqual(answer.status, 200)
            assert.isNull(answer.headers.get("x-b"))
          }
        }
        assert.strictEqual(seen.length, 10)
      })
    )

    it.effect("is refused where upstream might read another `stream` than the gateway", () =>
      Effect.gen(function* () {
        const seen = yield* replying((response) => response.end(JSON.stringify(message())))
        for (const stream of ["true", 1, 0, "no", {}]) assert.strictEqual((yield* post(body({ stream }))).status, 400)
        assert.strictEqual(seen.length, 0)
        assert.strictEqual((yield* post(body({ stream: null }))).status, 200)
      })
    )

    it.effect("never hears the answer to another number that looks the same as a double", () =>
      Effect.gen(function* () {
        const seen = yield* replying((response) => response.end(JSON.stringify(message())))
        const asked = (id: string) => JSON.stringify(body({ metadata: { id: "ID" } })).replace('"ID"', id)
        const text = asked("1234567890123456789")
        yield* post(text)
        const other = yield* post(text.replace("1234567890123456789", "1234567890123456788"))
        assert.strictEqual(other.headers.get("x-sluice-cache"), "miss")
        assert.strictEqual((yield* post(text)).headers.get("x-sluice-cache"), "hit")
        assert.strictEqual(seen.length, 2)
      })
    )
  })
})
