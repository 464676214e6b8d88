import { connect, type Socket } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { makeReaders, watched } from "../../src/http/gateway/Readers.ts"
import { listener } from "../../src/http/Listener.ts"

describe("the listener", () => {
  it("limits how long a client may ask, not how long an answer may take", () => {
    const server = listener()
    assert.isAtMost(server.headersTimeout, 30_000)
    assert.isAtLeast(server.requestTimeout, server.headersTimeout)
    assert.isAtMost(server.requestTimeout, 300_000)
    assert.strictEqual(server.timeout, 0)
    assert.isAbove(server.keepAliveTimeout, 60_000)
    server.close()
  })

  it.live("declines an offer to speak HTTP/2 by answering, body and all, and goes on", () =>
    Effect.gen(function* () {
      const body = `{"model":"claude-sonnet-5-5","max_tokens":0}`
      const offer = `connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n`
      const request = `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\n${offer}content-length: ${body.length}\r\n\r\n${body}`
      const server = listener()
      server.on("upgrade", (_request, socket) => socket.destroy())
      server.on("request", (incoming, response) => incoming.pipe(response))
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      const bound = server.address()
      const answers = yield* Effect.callback<string>((resume) => {
        let read = ""
        const socket = connect(typeof bound === "object" && bound !== null ? bound.port : 0, "127.0.0.1")
        socket.on("data", (chunk) => {
          read += chunk
          const answered = read.split("\r\n0\r\n\r\n").length - 1
          if (answered === 2) socket.end()
          else if (answered === 1) socket.write(request)
        })
        socket.on("close", () => resume(Effect.succeed(read)))
        socket.write(request)
      })
      server.close()
      assert.strictEqual(answers.split(body).length, 3, "both are answered")
    })
  )

  it.live("is closed at once where a connection was opened and nothing said", () =>
    Effect.gen(function* () {
      const server = listener()
      const opened = Effect.callback<Socket>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const bound = server.address()
          const socket = connect(typeof bound === "object" && bound !== null ? bound.port : 0, "127.0.0.1")
          server.once("connection", () => resume(Effect.succeed(socket)))
        })
      })
      const socket = yield* opened
      yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      socket.destroy()
    })
  )

  it.live("refuses headers without end, and keeps serving others", () =>
    Effect.gen(function* () {
      const url = yield* HttpServer.addressFormattedWith((address) => Effect.succeed(address))
      const { port } = new URL(url)
      const answer = yield* Effect.callback<string>((resume) => {
        let read = ""
        const socket = connect(Number(port), "127.0.0.1")
        socket.on("data", (chunk) => {
          read += chunk
        })
        socket.on("error", () => undefined)
        socket.on("close", () => resume(Effect.succeed(read)))
        socket.write("GET / HTTP/1.1\r\nhost: x\r\n")
        for (let n = 0; n < 200; n++) socket.write(`x-${n}: ${"y".repeat(1000)}\r\n`)
      })
      assert.match(answer, /^(HTTP\/1\.1 431 |$)/)
    }).pipe(
      Effect.provide(
        NodeHttpServer.layerServer(listener, { port: 0, host: "127.0.0.1" }).pipe(
          Layer.provideMerge(NodeHttpServer.layerHttpServices)
        )
      )
    )
  )
})

describe("a stream's reader", () => {
  it.effect("that takes nothing for five minutes is hung up on; a slow one is not", () =>
    Effect.gen(function* () {
      const readers = yield* makeReaders
      let hungUp = 0
      const pull = yield* watched(readers, Effect.succeed("bytes"), () => {
        hungUp++
      })
      for (let n = 0; n < 3; n++) {
        yield* pull
        yield* TestClock.adjust("4 minutes")
      }
      assert.strictEqual(hungUp, 0)
      yield* TestClock.adjust("2 minutes")
      assert.isAbove(hungUp, 0)
    })
  )

  it.effect("that waits for bytes is not", () =>
    Effect.gen(function* () {
      const readers = yield* makeReaders
      let hungUp = 0
      const pull = yield* watched(readers, Effect.never, () => {
        hungUp++
      })
      yield* Effect.forkChild(pull, { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(hungUp, 0)
    })
  )
})
