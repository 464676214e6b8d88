import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { call, json, server } from "./fakes.ts"

const tokens = {
  gatewayTokens: new Map([
    ["default", Redacted.make("default-token")],
    ["acme", Redacted.make("acme-token")]
  ])
}

layer(server())("search over HTTP", (it) => {
  const search = (query: string) => Effect.map(call("GET", `/api/conversations/c1/search?${query}`), json)
  const numbers = (query: string) =>
    Effect.map(search(query), ({ found }) => found.map((one: { seq: number }) => one.seq))

  it.effect("answers excerpts with the numbers, roles and times of their messages", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* search("q=message%203"), {
        found: [
          { seq: 3, role: "assistant", createdAt: 3, excerpt: "message 3" },
          ...[4, 2, 0, 1].map((seq) => ({
            seq,
            role: seq % 2 === 0 ? "user" : "assistant",
            createdAt: seq,
            excerpt: `message ${seq}`
          }))
        ],
        unsearched: 0
      })
    })
  )

  it.effect("keeps to numbers, times, tools, agents and a limit", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* numbers("from=1&to=3&limit=2"), [1, 2])
      assert.deepStrictEqual(yield* numbers("to=3&limit=2"), [3, 2])
      assert.deepStrictEqual(yield* numbers("fromTime=1970-01-01T00:00:00.003Z"), [3, 4])
      assert.deepStrictEqual(yield* numbers("toTime=1970-01-01&limit=1"), [4])
      assert.deepStrictEqual(yield* numbers("fromTime=1970-01-02"), [])
      assert.deepStrictEqual(yield* numbers("q=message&tool=Bash"), [])
      assert.deepStrictEqual(yield* numbers("q=message&agent=T1"), [])
    })
  )

  for (const query of ["limit=0", "limit=51", "from=-1", "to=x", "fromTime=soon", "tool=", `q=${"x".repeat(2_001)}`]) {
    it.effect(`refuses ${query.slice(0, 20)}`, () =>
      Effect.gen(function* () {
        const answer = yield* call("GET", `/api/conversations/c1/search?${query}`)
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(json(answer).type, "urn:sluice:problem:invalid-request")
      })
    )
  }

  it.effect("an unknown conversation is a 404 problem", () =>
    Effect.gen(function* () {
      const answer = yield* call("GET", "/api/conversations/none/search?q=x")
      assert.strictEqual(answer.status, 404)
      assert.deepInclude(json(answer), { type: "urn:sluice:problem:conversation-not-found", conversation: "none" })
    })
  )
})

layer(server({ settings: tokens }))("search and tenants", (it) => {
  const status = (id: string, token?: string) =>
    Effect.map(
      call("GET", `/api/conversations/${id}/search?q=message`, {
        headers: token === undefined ? {} : { "x-api-key": token }
      }),
      (answer) => answer.status
    )

  it.effect("a tenant searches its own conversations only, and nobody without a token", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* status("c1", "default-token"), 200)
      assert.strictEqual(yield* status("c3", "acme-token"), 200)
      assert.strictEqual(yield* status("c1", "acme-token"), 404)
      assert.strictEqual(yield* status("c1"), 401)
      assert.strictEqual(yield* status("c1", "wrong"), 401)
    })
  )
})
