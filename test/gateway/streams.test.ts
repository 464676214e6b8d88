import type { ServerResponse } from "node:http"
import { connect } from "node:net"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { toUsd } from "../../src/domain/Money.ts"
import { Patience } from "../../src/http/gateway/Patience.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { Addresses, body, eventually, frames, post, send, tapped, Wiretap, world } from "./world.ts"

const events = (text: string): ReadonlyArray<string> =>
  text.split("\n\n").flatMap((part) => /^event: (.*)$/m.exec(part)?.slice(1) ?? [])

/** Opens a stream, reads until `enough`, and goes away. */
const leave = (content: unknown, enough: (text: string) => boolean, headers: Record<string, string> = {}) =>
  Effect.flatMap(Addresses, ({ gateway }) =>
    Effect.promise(async () => {
      const controller = new AbortController()
      const response = await fetch(`${gateway}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "anthropic-version": "2023-06-01", ...headers },
        body: JSON.stringify(content),
        signal: controller.signal
      })
      let text = ""
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk)
        if (enough(text)) break
      }
      controller.abort()
      return text
    })
  )

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped())("a stream", (it) => {
    it.effect("is not held back: each frame goes out before the next one came", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const { gateway } = yield* Addresses
        let next: () => void = () => undefined
        tap.reply.current = (response) => {
          let at = 0
          response.writeHead(200, { "content-type": "text/event-stream" })
          next = () => {
            const part = frames[at++]
            if (part === undefined) response.end()
            else response.write(part)
          }
          next()
        }
        const text = yield* Effect.promise(async () => {
          const response = await fetch(`${gateway}/v1/messages`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body({ stream: true }))
          })
          let read = ""
          const decoder = new TextDecoder()
          for await (const chunk of response.body ?? []) {
            read += decoder.decode(chunk)
            next()
          }
          return read
        })
        assert.strictEqual(text, frames.join(""))
      })
    )

    it.effect("that upstream cuts ends with an error event", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(frames[0])
          response.write(frames[1], () => response.destroy())
        }
        const { status, text } = yield* post(body({ stream: true }))
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(events(text), ["message_start", "content_block_start", "error"])
        const data = JSON.parse(text.slice(text.lastIndexOf("data: ") + 6))
        assert.strictEqual(data.type, "error")
        assert.strictEqual(data.error.type, "api_error")
        assert.match(data.request_id, /^req_/)
      })
    )

    it.effect("that upstream ends with an error event ends with that one", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const error =
          'event: error\ndata: {"type":"error",  "error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
        tap.reply.current = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.end(frames[0] + frames[1] + error)
        }
        assert.strictEqual((yield* post(body({ stream: true }))).text, frames[0] + frames[1] + error)
      })
    )

    it.effect("whose client leaves is hung up at upstream, and billed by what was received", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const costs = yield* CostTracker
        const { model } = yield* Effect.succeed({ model: "claude-sonnet-5-5" })
        const catalog = yield* ModelCatalog
        const before = (yield* costs.state).total.costNanoUsd
        const closed = tap.closed.count
        tap.reply.current = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(frames[0] + frames[1] + frames[3])
        }
        yield* leave(body({ stream: true }), (text) => text.includes("Hello"))
        yield* eventually(() => tap.closed.count > closed)
        let after = before
        while (after === before) {
          after = (yield* costs.state).total.costNanoUsd
          yield* Effect.sleep("5 millis")
        }
        // message_start said 10 tokens of prompt and 5 of output, and no more than those were received.
        const usage = { input: 10, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 5 }
        const price = yield* Effect.sync(() => catalog.price(catalog.get(model), usage))
        assert.strictEqual(after - before, price)
        assert.isAbove(toUsd(price), 0)
      })
    )

    it.effect.each(["off", "on"])("holds upstream up while its client does not read, with the cache %s", (cache) =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const { gateway } = yield* Addresses
        let written = 0
        let blocked = false
        const big = frames[3].replace("Hello", "x".repeat(60_000))
        tap.reply.current = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(frames[0] + frames[1])
          const push = () => {
            while (written < 200_000_000) {
              written += big.length
              if (!response.write(big)) {
                blocked = true
                response.once("drain", () => {
                  blocked = false
                  push()
                })
                return
              }
            }
            response.end()
          }
          push()
        }
        const { hostname, port } = new URL(gateway)
        const text = JSON.stringify(body({ stream: true }))
        const socket = connect(Number(port), hostname)
        socket.write(
          `POST /v1/messages HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\nx-sluice-cache: ${cache}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
        )
        socket.pause()
        let steady = -1
        while (!blocked || steady !== written) {
          steady = written
          yield* Effect.sleep("200 millis")
        }
        assert.isBelow(written, 40_000_000)
        socket.destroy()
      })
    )
  })

  /** Upstream answers with the frames when it is told to, once. */
  const held = (tap: Wiretap["Service"]) => {
    const asked = Promise.withResolvers<ServerResponse>()
    tap.reply.current = asked.resolve
    return async () => {
      const response = await asked.promise
      if (response.writableEnded) return
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(frames.join(""))
    }
  }

  const streaming = () => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body({ stream: true }))
  })

  it.layer(Layer.provide(tapped(), Layer.succeed(Patience, { quiet: "50 millis", aliveEvery: "1 hour" })))(
    "a stream that waits for its first comment",
    (it) => {
      it.effect("has its status before upstream said anything", () =>
        Effect.gen(function* () {
          const answer = held(yield* Wiretap)
          const { gateway } = yield* Addresses
          const text = yield* Effect.promise(async () => {
            const response = await fetch(`${gateway}/v1/messages`, streaming())
            assert.strictEqual(response.status, 200)
            await answer()
            return response.text()
          })
          assert.strictEqual(text, `: waiting for a turn\n\n${frames.join("")}`)
        })
      )
    }
  )

  const impatient = Layer.succeed(Patience, { quiet: "50 millis", aliveEvery: "20 millis" })

  it.layer(Layer.provide(tapped(), impatient))("a stream that waits", (it) => {
    it.effect("keeps its connection alive with comments, then goes on", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const answer = held(tap)
        const { gateway } = yield* Addresses
        const text = yield* Effect.promise(async () => {
          const response = await fetch(`${gateway}/v1/messages`, streaming())
          assert.strictEqual(response.status, 200)
          assert.match(response.headers.get("x-sluice-request-id") ?? "", /^req_/)
          let read = ""
          const decoder = new TextDecoder()
          for await (const chunk of response.body ?? []) {
            read += decoder.decode(chunk, { stream: true })
            if (read.split("\n\n").length > 2) await answer()
          }
          return read
        })
        assert.match(text, /^(: waiting for a turn\n\n){2,}event: message_start\n/)
        assert.strictEqual(text.replace(/^(: .*\n\n)+/, ""), frames.join(""))
      })
    )

    it.effect("and is refused then, hears so in an error event", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const refusal = { type: "error", error: { type: "invalid_request_error", message: "no" }, request_id: "req_x" }
        const pages = [
          [400, JSON.stringify(refusal), refusal],
          [502, "<html>a proxy's page</html>", undefined]
        ] as const
        for (const [status, page, expected] of pages) {
          tap.reply.current = (response) => {
            setTimeout(() => response.writeHead(status, { "content-type": "text/plain" }).end(page), 150)
          }
          const { text } = yield* post(body({ stream: true }))
          assert.deepStrictEqual(events(text), ["error"])
          const data = JSON.parse(text.slice(text.lastIndexOf("data: ") + 6))
          if (expected !== undefined) assert.deepStrictEqual(data, expected)
          assert.strictEqual(data.type, "error")
          assert.isString(data.error.message)
        }
      })
    )

    it.effect("whose client leaves meanwhile is not followed", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const closed = tap.closed.count
        tap.reply.current = () => undefined
        yield* leave(body({ stream: true }), (text) => text.includes("waiting"))
        yield* Effect.sleep("10 millis")
        assert.isAtLeast(tap.closed.count, closed)
      })
    )
  })

  it.layer(world({ simulator: { perToken: "5 millis" } }))("the simulator's bill", (it) => {
    it.effect("equals the ledger's after streams that were left in the middle", () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        const costs = yield* CostTracker
        const long = (n: number) =>
          body({ stream: true, max_tokens: 2000, messages: [{ role: "user", content: `[[tokens:400]] ${n}` }] })
        yield* Effect.all(
          [0, 1, 2, 3].map((n) => leave(long(n), (text) => text.split("content_block_delta").length > 10 + 5 * n)),
          { concurrency: "unbounded" }
        )
        yield* send("/v1/messages", { body: body() })
        let requests = 0
        while (requests < 5) {
          requests = (yield* costs.state).total.requests
          yield* Effect.sleep("10 millis")
        }
        const { entries, total } = yield* simulator.bill
        const booked = (yield* costs.state).total.usage
        assert.strictEqual(entries.filter(({ status }) => status === "aborted").length, 4)
        assert.strictEqual(booked.input, total.usage.input)
        assert.strictEqual(booked.cacheWrite5m, total.usage.cacheWrite5m)
        // What was on its way when the connection closed was generated, but not received.
        assert.isAbove(booked.output, 0)
        assert.isAtMost(booked.output, total.usage.output * 1.25)
        assert.isAtLeast(booked.output, total.usage.output * 0.5)
      })
    )
  })
})
