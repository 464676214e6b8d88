import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { events, type Loose } from "../http/fakes.ts"
import { temporaryDirectory } from "../support/directory.ts"
import { lines, sluice } from "./run.ts"
import { serve, start, temporary } from "./service.ts"

const admin = { authorization: "Bearer s3cret-admin" }

const get = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers })
    const body: Loose = await response.json()
    return { status: response.status, body }
  })

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
  )

describe("sluice serve", () => {
  it.live("answers a conversation, survives a restart, and exits 0 when asked to stop", () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* temporaryDirectory
      const first = yield* serve({ DATA_DIR, ADMIN_TOKEN: "s3cret-admin" })
      assert.include(first.output(), "simulator")
      assert.include(first.output(), "MAX_CONTEXT_TOKENS=50000")
      assert.notInclude(first.output(), "s3cret-admin")

      const health = yield* get(`${first.url}/health`)
      assert.strictEqual(health.status, 200)
      assert.strictEqual(health.body.checks.upstream.detail, "simulator")

      const created = yield* post(`${first.url}/api/conversations`, { title: "e2e" }, admin)
      assert.strictEqual(created.status, 201)
      const { id } = (yield* Effect.promise(() => created.json())) as { readonly id: string }

      const turn = yield* post(`${first.url}/api/conversations/${id}/messages`, { content: "Say hello." }, admin)
      assert.strictEqual(turn.status, 200)
      const told = events(yield* Effect.promise(() => turn.text()))
      assert.include(
        told.map(({ event }) => event),
        "text_delta"
      )
      const last = told.at(-1)
      assert.strictEqual(last?.event, "message")
      assert.isAbove(last?.data.usage.output, 0)
      assert.isAbove(last?.data.cost.nanoUsd, 0)
      assert.isAbove(last?.data.context.tokens, 0)

      const costs = yield* get(`${first.url}/api/metrics/costs`)
      assert.strictEqual(costs.body.today.cost.nanoUsd, last?.data.cost.nanoUsd)
      const tokens = yield* get(`${first.url}/api/metrics/tokens`)
      assert.isAbove(tokens.body.currentMinute.used, 0)
      assert.strictEqual(tokens.body.contextWindows[0].conversation, id)
      const context = yield* get(`${first.url}/api/conversations/${id}/context`, admin)
      assert.deepInclude(context.body.request.messages[0], { role: "user" })
      assert.include(JSON.stringify(context.body.request.tools), "report_cost")

      assert.strictEqual(yield* first.stop(), 0)

      const second = yield* serve({ DATA_DIR })
      const found = yield* get(`${second.url}/api/conversations/${id}/messages`)
      assert.deepStrictEqual(
        found.body.messages.map((m: { role: string }) => m.role),
        ["user", "assistant"]
      )
      const kept = yield* get(`${second.url}/api/metrics/costs`)
      assert.strictEqual(kept.body.total.cost.nanoUsd, last?.data.cost.nanoUsd)
      assert.strictEqual(yield* second.stop("SIGINT"), 0)
    }).pipe(Effect.scoped)
  )

  it.live("a second process on the same folder, or on the same port, says so in one line and exits 1", () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* temporary
      const other = yield* temporary
      const { url } = yield* serve({ DATA_DIR })
      const { port } = new URL(url)
      for (const [env, word] of [
        [{ DATA_DIR, PORT: "0" }, DATA_DIR],
        [{ DATA_DIR: other, PORT: port }, port]
      ] as const) {
        const { code, stderr } = yield* sluice(["serve"], env)
        assert.strictEqual(code, 1, stderr)
        assert.strictEqual(lines(stderr).length, 1, stderr)
        assert.include(stderr, word)
        assert.notInclude(stderr, "    at ")
      }
    }).pipe(Effect.scoped)
  )

  it.live("a database that is down at start is one line, and exits 1", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* sluice(["serve"], {
        DATABASE_URL: "postgres://u:s3cret@127.0.0.1:1/x",
        PORT: "0"
      })
      assert.strictEqual(code, 1)
      assert.strictEqual(lines(stderr).length, 1, stderr)
      assert.notInclude(stderr, "s3cret")
    })
  )

  it.live("finishes the request in flight before it stops, and says so in the log", () =>
    Effect.gen(function* () {
      const service = yield* serve({ DATA_DIR: yield* temporary })
      const created = yield* post(`${service.url}/api/conversations`, {})
      const { id } = (yield* Effect.promise(() => created.json())) as { readonly id: string }
      const turn = yield* Effect.forkChild(
        Effect.flatMap(post(`${service.url}/api/conversations/${id}/messages`, { content: "Say hello." }), (answer) =>
          Effect.promise(() => answer.text())
        ),
        { startImmediately: true }
      )
      yield* Effect.sleep("20 millis")
      const [took, code] = yield* Effect.timed(service.stop())
      assert.strictEqual(code, 0)
      // The client keeps its connection; waiting for it would take the whole 20 seconds of grace.
      assert.isBelow(Duration.toSeconds(took), 15)
      const text = yield* Fiber.join(turn)
      assert.strictEqual(events(text).at(-1)?.event, "message")
      while (!service.output().includes("Request requestId=")) yield* Effect.sleep("20 millis")
    }).pipe(Effect.scoped)
  )

  it.live("--log-level wins over LOG_LEVEL", () =>
    Effect.gen(function* () {
      const env = { PORT: "0", DATA_DIR: yield* temporary, LOG_LEVEL: "error" }
      const { output } = yield* start(["serve", "--log-level", "info"], env)
      assert.include(output(), "Listening on")
    }).pipe(Effect.scoped)
  )

  it.live("goes on when whoever read its log has gone", () =>
    Effect.gen(function* () {
      const service = yield* serve({ DATA_DIR: yield* temporary, LOG_LEVEL: "debug" })
      yield* service.deafen
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* get(`${service.url}/health`)).status, 200)
      assert.strictEqual((yield* post(`${service.url}/api/conversations`, {})).status, 201)
      assert.strictEqual(yield* service.stop(), 0)
    }).pipe(Effect.scoped)
  )
})
