import { createHmac } from "node:crypto"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Option, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import type { Alert } from "../../src/domain/Event.ts"
import { Events } from "../../src/events/Events.ts"
import { deliverAlerts, optionsOf } from "../../src/events/Webhook.ts"

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver on a real socket that answers with the given statuses, then 200, and tells after `count` requests. */
const receiver = Effect.fnUntraced(function* (statuses: ReadonlyArray<number>, count: number) {
  const received: Array<Received> = []
  const done = yield* Deferred.make<ReadonlyArray<Received>>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const status = statuses[received.length] ?? 200
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(status).end()
      if (received.length === count) Effect.runSync(Deferred.succeed(done, received))
    })
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  return { url: `http://127.0.0.1:${port}/hook`, received, done: Deferred.await(done) }
})

const alert = (message: string): Alert => ({ kind: "degraded", severity: "warning", message })

describe("the webhook", () => {
  it.live("posts alerts as JSON, in order, signed with the secret", () =>
    Effect.gen(function* () {
      const events = yield* Events
      const hook = yield* receiver([], 2)
      yield* deliverAlerts({ url: hook.url, secret: Option.some(Redacted.make("secret")) })
      yield* events.publish({ _tag: "CacheCleared", entries: 1 })
      yield* events.publish({ _tag: "AlertRaised", alert: alert("it began") })
      yield* events.publish({ _tag: "AlertCleared", alert: alert("it ended") })
      const received = yield* hook.done
      assert.deepStrictEqual(
        received.map(({ body }) => JSON.parse(body).event),
        ["AlertRaised", "AlertCleared"]
      )
      for (const { body, headers } of received) {
        const expected = createHmac("sha256", "secret").update(`${headers["x-sluice-timestamp"]}.${body}`).digest("hex")
        assert.strictEqual(headers["x-sluice-signature"], `sha256=${expected}`)
        assert.strictEqual(headers["content-type"], "application/json")
      }
      assert.deepStrictEqual(JSON.parse(received[0]?.body ?? "{}").alert, alert("it began"))
    }).pipe(Effect.provide([Events.layerTest, FetchHttpClient.layer]))
  )

  it.live("repeats what failed under the same delivery id, and gives up what was refused for good", () =>
    Effect.gen(function* () {
      const events = yield* Events
      const hook = yield* receiver([503, 410], 3)
      yield* deliverAlerts({ url: hook.url, secret: Option.none() })
      yield* events.publish({ _tag: "AlertRaised", alert: alert("gone") })
      yield* events.publish({ _tag: "AlertRaised", alert: alert("next") })
      const received = yield* hook.done
      const [first, again, next] = received
      assert.strictEqual(first?.headers["x-sluice-delivery"], again?.headers["x-sluice-delivery"])
      assert.strictEqual(first?.body, again?.body)
      assert.strictEqual(JSON.parse(next?.body ?? "{}").alert.message, "next")
      assert.isUndefined(first?.headers["x-sluice-signature"])
    }).pipe(Effect.provide([Events.layerTest, FetchHttpClient.layer]))
  )

  it.live("never holds up a publisher when nobody answers, and keeps a bounded number waiting", () =>
    Effect.gen(function* () {
      const events = yield* Events
      yield* deliverAlerts({ url: "http://127.0.0.1:9/", secret: Option.none() })
      for (let n = 0; n < 5_000; n++) yield* events.publish({ _tag: "AlertRaised", alert: alert(String(n)) })
    }).pipe(Effect.provide([Events.layerTest, FetchHttpClient.layer]), Effect.timeout("5 seconds"))
  )

  it("takes the secret from the address and keeps it out of what is called", () => {
    const { secret, url } = optionsOf("https://hooks.example.com/a?b=c#s%20ecret")
    assert.strictEqual(url, "https://hooks.example.com/a?b=c")
    assert.strictEqual(Option.getOrUndefined(Option.map(secret, Redacted.value)), "s ecret")
    assert.isTrue(Option.isNone(optionsOf("https://hooks.example.com/a").secret))
    for (const plain of ["50%", "é%zz", "a#b"]) {
      const taken = optionsOf(`https://hooks.example.com/a#${plain}`).secret
      assert.strictEqual(Option.getOrUndefined(Option.map(taken, Redacted.value)), plain)
    }
  })
})
