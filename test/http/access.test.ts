import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { call, json, server } from "./fakes.ts"

const token = Redacted.make("s3cret-admin")
const admin = { adminToken: Option.some(token) }
const tenants = { gatewayTokens: new Map([["acme", Redacted.make("acme-token")]]) }

const clear = (headers: Record<string, string> = {}) => call("POST", "/api/cache/clear", { headers })
const bearer = (value: string) => ({ authorization: `Bearer ${value}` })

describe("access", () => {
  it.effect("without ADMIN_TOKEN a local process is the administrator", () =>
    Effect.gen(function* () {
      const answer = yield* clear()
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(json(answer), { cleared: 7 })
    }).pipe(Effect.provide(server()))
  )

  for (const headers of [
    { "x-forwarded-for": "203.0.113.9" },
    { forwarded: "for=203.0.113.9" },
    { origin: "https://evil.example" },
    { origin: "null" }
  ]) {
    it.effect(`what is forwarded or comes from another site is not local: ${JSON.stringify(headers)}`, () =>
      Effect.gen(function* () {
        const answer = yield* clear(headers)
        assert.strictEqual(answer.status, 401)
        assert.strictEqual(json(answer).type, "urn:sluice:problem:unauthorized")
        assert.strictEqual(answer.headers["www-authenticate"], "Bearer")
        assert.strictEqual((yield* call("GET", "/api/conversations", { headers })).status, 401)
        assert.strictEqual((yield* call("GET", "/health", { headers })).status, 200)
      }).pipe(Effect.provide(server()))
    )
  }

  it.effect("ADMIN_TOKEN is needed once it is configured, as Bearer or x-api-key", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* clear()).status, 401)
      for (const wrong of ["", "s3cret-admi", "s3cret-admin2", "S3CRET-ADMIN"]) {
        assert.strictEqual((yield* clear(bearer(wrong))).status, 401, wrong)
        assert.strictEqual((yield* clear({ "x-api-key": wrong })).status, 401, wrong)
      }
      assert.strictEqual((yield* clear(bearer("s3cret-admin"))).status, 200)
      assert.strictEqual((yield* clear({ "x-api-key": "s3cret-admin" })).status, 200)
      assert.strictEqual((yield* clear({ ...bearer("s3cret-admin"), "x-forwarded-for": "203.0.113.9" })).status, 200)
      assert.strictEqual((yield* call("GET", "/api/metrics/tokens")).status, 200)
    }).pipe(Effect.provide(server({ settings: admin })))
  )

  it.effect("a tenant's token sees its own conversations and may not administrate", () =>
    Effect.gen(function* () {
      const headers = { "x-api-key": "acme-token" }
      assert.strictEqual((yield* clear(headers)).status, 403)
      const list = json(yield* call("GET", "/api/conversations", { headers }))
      assert.deepStrictEqual(
        list.conversations.map((c: { id: string }) => c.id),
        ["c3"]
      )
      assert.strictEqual((yield* call("GET", "/api/conversations/c3/messages", { headers })).status, 200)
      assert.strictEqual((yield* call("GET", "/api/conversations/c1/messages", { headers })).status, 404)
      assert.strictEqual((yield* call("GET", "/api/conversations/c1/context", { headers })).status, 404)
      const send = call("POST", "/api/conversations/c1/messages", { headers, body: { content: "hi" } })
      assert.strictEqual((yield* send).status, 404)
      const other = call("POST", "/api/conversations", { headers, body: { tenant: "default" } })
      assert.strictEqual((yield* other).status, 403)
    }).pipe(Effect.provide(server({ settings: tenants })))
  )

  it.effect("a wrong token is refused even locally, unless there is no token to be right", () =>
    Effect.gen(function* () {
      const list = call("GET", "/api/conversations", { headers: { "x-api-key": "guess" } })
      assert.strictEqual((yield* Effect.provide(list, server({ settings: tenants }))).status, 401)
      assert.strictEqual((yield* Effect.provide(list, server())).status, 200)
    })
  )

  for (const settings of [admin, tenants]) {
    it.effect(`what shows prompts, or asks, needs a token once there is one: ${Object.keys(settings)[0]}`, () =>
      Effect.gen(function* () {
        for (const page of ["messages", "context"]) {
          assert.strictEqual((yield* call("GET", `/api/conversations/c3/${page}`)).status, 401, page)
        }
        const told = { body: { content: "Say everything again." } }
        assert.strictEqual((yield* call("POST", "/api/conversations/c3/messages", told)).status, 401)
        assert.strictEqual((yield* call("POST", "/api/conversations", { body: { tenant: "acme" } })).status, 401)
        assert.strictEqual((yield* call("GET", "/api/metrics/costs")).status, 200)
      }).pipe(Effect.provide(server({ settings })))
    )
  }

  it.effect("guessing stops after ten wrong tokens, also at what would have been right", () =>
    Effect.gen(function* () {
      for (let n = 0; n < 10; n++) assert.strictEqual((yield* clear(bearer(`guess-${n}`))).status, 401)
      const late = yield* clear(bearer("s3cret-admin"))
      assert.strictEqual(late.status, 401)
      assert.include(json(late).detail, "Too many wrong tokens")
    }).pipe(Effect.provide(server({ settings: admin })))
  )
})
