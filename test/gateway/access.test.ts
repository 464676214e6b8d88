import { assert, layer } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { Tokens } from "../../src/access/Tokens.ts"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { type Answer, body, post, send, serverKey, tapped, Wiretap } from "./world.ts"

const secret = "an-environment-token-0123456789"
const settings = {
  adminToken: Option.some(Redacted.make("the-operators-token")),
  gatewayTokens: new Map([["acme", Redacted.make(secret)]])
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const sent = Effect.map(Wiretap, ({ seen }) => seen.at(-1)?.headers ?? {})
const asked = Effect.map(Wiretap, ({ seen }) => seen.length)

const refused = (answer: Answer) => {
  assert.strictEqual(answer.status, 401)
  assert.deepStrictEqual([answer.json.type, answer.json.error.type], ["error", "authentication_error"])
  assert.strictEqual(answer.json.request_id, answer.headers.get("x-sluice-request-id"))
}

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ settings }))("a gateway token", (it) => {
    it.effect("in either header opens the gateway with the server's key, and never goes upstream", () =>
      Effect.gen(function* () {
        const all = [{ "x-api-key": secret }, bearer(secret), { "x-api-key": secret, ...bearer(secret) }]
        for (const headers of [...all, { "x-api-key": "the-operators-token" }]) {
          assert.strictEqual((yield* post(body(), headers)).status, 200)
          const { authorization, "x-api-key": key } = yield* sent
          assert.deepStrictEqual([authorization, key], [undefined, serverKey])
        }
        yield* send("/v1/models", { headers: bearer(secret) })
        assert.strictEqual((yield* sent)["x-api-key"], serverKey)
        const { seen } = yield* Wiretap
        assert.notInclude(JSON.stringify(seen), secret)
      })
    )

    it.effect("of the database works at once, until it is revoked at once", () =>
      Effect.gen(function* () {
        const admin = bearer("the-operators-token")
        const made = yield* send("/api/tokens", { body: { name: "team", share: 2, dailyBudgetUsd: 5 }, headers: admin })
        assert.strictEqual(made.status, 201)
        const { token } = made.json
        assert.strictEqual((yield* post(body(), bearer(token))).status, 200)
        const taken = yield* send("/api/tokens", { body: { name: "team" }, headers: admin })
        assert.strictEqual(taken.status, 409)
        const list = yield* send("/api/tokens", { headers: admin })
        assert.deepStrictEqual(
          list.json.tokens.map((grant: { name: string }) => grant.name),
          ["acme", "team"]
        )
        assert.notInclude(list.text, token)
        assert.strictEqual((yield* send("/api/tokens", { headers: bearer(secret) })).status, 403)
        assert.strictEqual((yield* send("/api/tokens/team", { method: "DELETE", headers: admin })).status, 204)
        const before = yield* asked
        refused(yield* post(body(), bearer(token)))
        assert.strictEqual(yield* asked, before)
        assert.strictEqual((yield* send("/api/tokens/team", { method: "DELETE", headers: admin })).status, 404)
      })
    )

    it.effect("is the tenant that pays", () =>
      Effect.gen(function* () {
        const costs = yield* CostTracker
        const of = Effect.map(costs.report({}), ({ byAgent, byTenant }) => ({
          acme: byTenant.find(({ key }) => key === "acme")?.requests ?? 0,
          planner: byAgent.find(({ key }) => key === "planner")?.requests ?? 0
        }))
        const before = yield* of
        yield* post(body(), { ...bearer(secret), "x-sluice-agent": "planner" })
        const after = yield* of
        assert.strictEqual(after.acme, before.acme + 1)
        assert.strictEqual(after.planner, before.planner + 1)
      })
    )

    it.effect("may have a budget of its own, and a share of the queue", () =>
      Effect.gen(function* () {
        const tokens = yield* Tokens
        const { token } = yield* tokens.add({ name: "poor", dailyBudgetUsd: 0.000_001, share: 3 })
        const stopped = yield* post(body(), bearer(Redacted.value(token)))
        assert.strictEqual(stopped.status, 402)
        assert.strictEqual(stopped.json.error.type, "billing_error")
        assert.include(stopped.json.error.message, "tenant poor")
        assert.strictEqual((yield* post(body(), bearer(secret))).status, 200)
        yield* tokens.revoke("poor")
        const { token: richer } = yield* tokens.add({ name: "poor", dailyBudgetUsd: 1 })
        assert.strictEqual((yield* post(body(), bearer(Redacted.value(richer)))).status, 200)
      })
    )

    it.effect("is needed once there is one, also on this machine; a key of upstream's goes through", () =>
      Effect.gen(function* () {
        const before = yield* asked
        refused(yield* post(body()))
        refused(yield* post(body(), bearer("somebody-elses-token")))
        refused(yield* send("/v1/messages/count_tokens", { body: {} }))
        refused(yield* send("/v1/whatever"))
        assert.strictEqual(yield* asked, before)
        assert.strictEqual((yield* post(body(), bearer("sk-ant-own"))).status, 200)
        assert.strictEqual((yield* sent).authorization, "Bearer sk-ant-own")
      })
    )

    it.effect("that is guessed too often is not looked at any more; who was right before is not locked out", () =>
      Effect.gen(function* () {
        const before = yield* asked
        for (let n = 0; n < 12; n++) yield* post(body(), bearer(`guess-${n}`))
        const late = yield* post(body(), bearer("guess-again"))
        assert.strictEqual(late.status, 429)
        assert.strictEqual(late.json.error.type, "rate_limit_error")
        assert.isAbove(Number(late.headers.get("retry-after")), 0)
        assert.strictEqual(yield* asked, before)
        assert.strictEqual((yield* post(body(), bearer(secret))).status, 200)
      })
    )
  })

  it.layer(tapped())("without any token", (it) => {
    it.effect("processes of this machine use the server's key, or their own", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* post(body())).status, 200)
        assert.strictEqual((yield* sent)["x-api-key"], serverKey)
        assert.strictEqual((yield* post(body(), { "x-api-key": "any key" })).status, 200)
        assert.strictEqual((yield* sent)["x-api-key"], "any key")
        refused(yield* post(body(), { "x-api-key": "sluice_revoked" }))
      })
    )

    it.effect("pages of other sites and clients behind a proxy do not", () =>
      Effect.gen(function* () {
        const before = yield* asked
        for (const headers of [{ origin: "https://evil.example" }, { "x-forwarded-for": "203.0.113.9" }]) {
          refused(yield* post(body(), headers as Record<string, string>))
        }
        assert.strictEqual(yield* asked, before)
      })
    )

    it.effect("the first one closes the gateway to everybody else", () =>
      Effect.gen(function* () {
        const tokens = yield* Tokens
        const { token } = yield* tokens.add({ name: "first" })
        refused(yield* post(body()))
        assert.strictEqual((yield* post(body(), bearer(Redacted.value(token)))).status, 200)
        yield* tokens.revoke("first")
        assert.strictEqual((yield* post(body())).status, 200)
      })
    )
  })
})
