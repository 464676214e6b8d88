import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { Events } from "../../src/events/Events.ts"
import { call, json, server } from "../http/fakes.ts"
import { address, connect, eventually, request } from "./support.ts"

const publish = (count: number, event = request()) =>
  Events.use(({ publish }) => Effect.forEach(Array(count), () => publish(event), { discard: true }))

const seqs = (received: ReadonlyArray<{ readonly seq?: number; readonly event?: unknown }>) =>
  received.filter(({ event }) => event !== undefined).map(({ seq }) => seq)

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** What the server answers to a `GET /ws` with these headers, until it closes the connection. */
const rawly = ({ port }: URL, headers: Readonly<Record<string, string>>) =>
  Effect.callback<string>((resume) => {
    const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`)
    let read = ""
    const socket = net.connect(Number(port), "127.0.0.1")
    socket.on("data", (chunk) => {
      read += chunk
    })
    socket.on("close", () => resume(Effect.succeed(read)))
    socket.write(`GET /ws HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`)
  })

describe("GET /ws", () => {
  it.live("tells what happens, in order, with its number and its time, after a heartbeat", () =>
    Effect.gen(function* () {
      const line = yield* connect(`${yield* address}/ws`)
      yield* eventually("a heartbeat", () => line.received.length > 0)
      yield* publish(3)
      yield* eventually("three events", () => seqs(line.received).length === 3)
      assert.deepStrictEqual(line.received[0], { type: "heartbeat", seq: 0 })
      assert.deepStrictEqual(seqs(line.received), [1, 2, 3])
      assert.deepInclude(line.received[1], { event: request() })
      assert.hasAllKeys(line.received[1], ["seq", "at", "event"])
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.live("?since= replays what is kept, then goes on, without gap or repetition", () =>
    Effect.gen(function* () {
      yield* publish(10)
      const line = yield* connect(`${yield* address}/ws?since=4`)
      yield* publish(5)
      yield* eventually("all", () => seqs(line.received).length >= 11)
      assert.deepStrictEqual(seqs(line.received), range(5, 15))
      assert.isFalse(line.received.some(({ type }) => type === "gap"))
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.live("says so when the ring does not reach back, and when the numbering began anew", () =>
    Effect.gen(function* () {
      const url = yield* address
      yield* publish(2_000)
      const late = yield* connect(`${url}/ws?since=1`)
      yield* eventually("the rest", () => seqs(late.received).at(-1) === 2_000)
      assert.deepStrictEqual(late.received[0], { type: "gap" })
      assert.deepStrictEqual(seqs(late.received), range(977, 2_000))
      const other = yield* connect(`${url}/ws?since=9999`)
      yield* eventually("the rest", () => seqs(other.received).at(-1) === 2_000)
      assert.deepStrictEqual(other.received[0], { type: "gap" })
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.live("a page of another site, a wrong token and a bad `since` are refused", () =>
    Effect.gen(function* () {
      const foreign = yield* call("GET", "/ws", { headers: { origin: "https://evil.example" } })
      assert.strictEqual(foreign.status, 403)
      assert.strictEqual(json(foreign).type, "urn:sluice:problem:forbidden")
      const wrong = yield* call("GET", "/ws", { headers: { authorization: "Bearer nonsense" } })
      assert.strictEqual(wrong.status, 401)
      const plain = yield* call("GET", "/ws", { headers: { authorization: "Bearer s3cret" } })
      assert.strictEqual(plain.status, 400)
      assert.include(json(plain).detail, "/api/events")
      const upgrade = { connection: "Upgrade", upgrade: "websocket", origin: "https://evil.example" }
      assert.include(yield* rawly(new URL(yield* address), upgrade), "403 Forbidden\r\n")
      assert.match(yield* rawly(new URL(yield* address), upgrade), /\r\nconnection: close\r\n/i)
      const refused = yield* Effect.flip(connect(`${yield* address}/ws?since=-1`))
      assert.match(refused.message, /closed/)
    }).pipe(Effect.provide(server({ settings: { adminToken: Option.some(Redacted.make("s3cret")) } })), Effect.scoped)
  )

  it.live("a tenant hears of its own requests only; its token may come as a subprotocol", () =>
    Effect.gen(function* () {
      const token = Buffer.from("acme-token").toString("base64url")
      const line = yield* connect(`${yield* address}/ws`, ["sluice", `bearer.${token}`])
      assert.strictEqual(line.socket.protocol, "sluice")
      yield* publish(1, request({ tenant: "other" }))
      yield* publish(1, request({ tenant: "acme" }))
      yield* eventually("its own", () => seqs(line.received).length > 0)
      assert.deepStrictEqual(seqs(line.received), [2])
    }).pipe(
      Effect.provide(server({ settings: { gatewayTokens: new Map([["acme", Redacted.make("acme-token")]]) } })),
      Effect.scoped
    )
  )

  it.live("a server that shuts down says goodbye and does not wait for who listens", () =>
    Effect.gen(function* () {
      const begun = performance.now()
      const lines = yield* Effect.gen(function* () {
        const url = `${yield* address}/ws`
        return yield* Effect.forEach(Array(20), () => connect(url))
      }).pipe(Effect.provide(server(), { local: true }))
      yield* eventually("all are closed", () => lines.every((line) => line.closed() !== undefined))
      assert.deepStrictEqual([...new Set(lines.map((line) => line.closed()))], [1001])
      assert.isBelow(performance.now() - begun, 10_000)
    }).pipe(Effect.scoped)
  )

  it.live("1,000 connections hear everything", () =>
    Effect.gen(function* () {
      const url = `${yield* address}/ws`
      const lines = yield* Effect.forEach(Array(1_000), () => connect(url), { concurrency: 50 })
      yield* publish(20)
      yield* eventually("everybody has heard everything", () =>
        lines.every(({ received }) => seqs(received).length === 20)
      )
      for (const { received } of lines) assert.deepStrictEqual(seqs(received), range(1, 20))
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.live("a reader that does not read is dropped with 1013, and the others hear on", () =>
    Effect.gen(function* () {
      const url = new URL(yield* address)
      const stuck = net.connect({ host: "127.0.0.1", port: Number(url.port) })
      yield* Effect.addFinalizer(() => Effect.sync(() => stuck.destroy()))
      stuck.write(
        `GET /ws HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
      )
      const chunks: Array<Buffer> = []
      stuck.once("data", (chunk) => {
        chunks.push(chunk)
        stuck.pause()
      })
      yield* eventually("the stuck reader is connected", () => chunks.length > 0)
      const healthy = yield* connect(`${url.origin}/ws`)
      const big = request({ agent: "a".repeat(20_000) })
      let sent = 0
      for (let round = 0; round < 60; round++) {
        yield* publish(20, big)
        sent += 20
        yield* eventually("the healthy one keeps up", () => seqs(healthy.received).length === sent)
      }
      stuck.on("data", (chunk) => chunks.push(chunk))
      stuck.resume()
      const ended = new Promise((resolve) => stuck.once("close", resolve))
      yield* Effect.promise(() => ended)
      const close = Buffer.concat(chunks).subarray(-12)
      assert.strictEqual(close[0], 0x88, "the last frame is a close frame")
      assert.strictEqual(close.readUInt16BE(2), 1013)
      assert.deepStrictEqual(seqs(healthy.received), range(1, sent))
    }).pipe(Effect.provide(server()), Effect.scoped)
  )
})

describe("GET /api/events", () => {
  const read = (url: string, headers: Record<string, string>, count: number) =>
    Effect.promise(async () => {
      const abort = new AbortController()
      const response = await fetch(url, { headers, signal: abort.signal })
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream; charset=utf-8")
      let text = ""
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        if (text.split("\n\n").length > count) break
      }
      abort.abort()
      return text
        .split("\n\n")
        .slice(0, count)
        .map((message) => {
          const [id, data] = message.split("\n")
          return { id: id?.slice(4), data: JSON.parse(data?.slice(6) ?? "null") }
        })
    })

  it.live("the same messages as server-sent events, with the number as id", () =>
    Effect.gen(function* () {
      yield* publish(3)
      const [second, third, beat] = yield* read(`${yield* address}/api/events?since=1`, {}, 3)
      assert.strictEqual(second?.id, "2")
      assert.deepInclude(second?.data, { seq: 2, event: request() })
      assert.strictEqual(third?.data.seq, 3)
      assert.deepStrictEqual(beat?.data, { type: "heartbeat", seq: 3 })
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.live("a browser that comes back goes on after its last event", () =>
    Effect.gen(function* () {
      yield* publish(3)
      const [third] = yield* read(`${yield* address}/api/events`, { "last-event-id": "2" }, 1)
      assert.strictEqual(third?.data.seq, 3)
    }).pipe(Effect.provide(server()), Effect.scoped)
  )

  it.effect("a `since` that is no number is a 400", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* call("GET", "/api/events?since=x")).status, 400)
    }).pipe(Effect.provide(server()), Effect.scoped)
  )
})
