import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { call, json, server } from "./fakes.ts"

const daily = (query = "", headers: Record<string, string> = {}) => call("GET", `/api/costs/daily${query}`, { headers })

layer(server())("GET /api/costs/daily", (it) => {
  it.effect("one row a day as JSON", () =>
    Effect.gen(function* () {
      const answer = yield* daily("?from=2026-11-20&to=2026-11-21")
      assert.strictEqual(answer.status, 200)
      const body = json(answer)
      assert.deepInclude(body, { from: "2026-11-20", to: "2026-11-21" })
      assert.notProperty(body, "lines")
      assert.deepStrictEqual(body.total.cost, { nanoUsd: 1_500_000, usd: 0.0015 })
      assert.strictEqual(body.days[0].key, "2026-11-21")
    })
  )

  it.effect("every line as JSON", () =>
    Effect.gen(function* () {
      const { lines } = json(yield* daily("?by=line"))
      assert.deepInclude(lines[0], {
        day: "2026-11-21",
        model: "claude-sonnet-5-5",
        tenant: "acme",
        conversation: null
      })
    })
  )

  it.effect("CSV by query or by Accept; JSON where both are taken", () =>
    Effect.gen(function* () {
      for (const answer of [
        yield* daily("?format=csv"),
        yield* daily("", { accept: "text/csv" }),
        yield* daily("?format=csv", { accept: "application/json" })
      ]) {
        assert.strictEqual(answer.headers["content-type"], "text/csv; charset=utf-8")
        const [head, row] = answer.text.split("\r\n")
        assert.match(head ?? "", /^day,requests,/)
        assert.match(row ?? "", /^2026-11-21,2,100,20,0,30,10,600,0\.001500000,/)
      }
      for (const accept of ["text/csv, application/json", "*/*"]) {
        assert.match((yield* daily("", { accept })).headers["content-type"] ?? "", /^application\/json/)
      }
      const lines = yield* daily("?format=csv&by=line")
      assert.include(lines.text, "2026-11-21,claude-sonnet-5-5,acme,'=SUM(A1),,2,")
    })
  )

  it.effect("refuses what is no day, days in the wrong order, and no format", () =>
    Effect.gen(function* () {
      for (const query of [
        "?from=yesterday",
        "?from=2026-02-31",
        "?from=2026-11-22&to=2026-11-01",
        "?format=xml",
        "?by=hour"
      ]) {
        assert.strictEqual((yield* daily(query)).status, 400, query)
      }
    })
  )
})

describe("who may", () => {
  const settings = {
    adminToken: Option.some(Redacted.make("s3cret-admin")),
    gatewayTokens: new Map([["acme", Redacted.make("acme-token")]])
  }

  it.effect("read daily costs: not a tenant; warm the cache: only an administrator", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* daily("", { "x-api-key": "acme-token" })).status, 403)
      assert.strictEqual((yield* daily("", { "x-api-key": "s3cret-admin" })).status, 200)
      assert.strictEqual((yield* daily()).status, 200)
      const warm = (headers: Record<string, string>, requests: ReadonlyArray<unknown>) =>
        call("POST", "/api/cache/warm", { headers, body: { requests } })
      assert.strictEqual((yield* warm({}, [])).status, 401)
      assert.strictEqual((yield* warm({ "x-api-key": "acme-token" }, [])).status, 403)
      const admin = { "x-api-key": "s3cret-admin" }
      assert.deepStrictEqual(json(yield* warm(admin, [])), { known: 0, asked: 0, failed: [] })
      assert.strictEqual((yield* warm(admin, [{ request: { model: "m" } }])).status, 400)
    }).pipe(Effect.provide(server({ settings })))
  )
})
