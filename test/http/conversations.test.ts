import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, json, server } from "./fakes.ts"

layer(server())("conversations", (it) => {
  it.effect("creates, with or without a title", () =>
    Effect.gen(function* () {
      const titled = yield* call("POST", "/api/conversations", { body: { title: "a", tenant: "acme" } })
      assert.strictEqual(titled.status, 201)
      assert.isString(json(titled).id)
      assert.strictEqual((yield* call("POST", "/api/conversations", { body: {} })).status, 201)
    })
  )

  it.effect("lists by keyset until the end", () =>
    Effect.gen(function* () {
      const first = json(yield* call("GET", "/api/conversations?tenant=default&limit=1"))
      assert.strictEqual(first.conversations.length, 1)
      assert.strictEqual(first.next, first.conversations[0].id)
      const rest = json(yield* call("GET", `/api/conversations?tenant=default&limit=50&before=${first.next}`))
      assert.isTrue(rest.conversations.every((c: { id: string }) => c.id !== first.next))
      assert.isNull(rest.next)
    })
  )

  it.effect("pages messages backwards, oldest first in a page", () =>
    Effect.gen(function* () {
      const newest = json(yield* call("GET", "/api/conversations/c1/messages?limit=2"))
      assert.deepStrictEqual(
        newest.messages.map((m: { seq: number }) => m.seq),
        [3, 4]
      )
      const older = json(yield* call("GET", `/api/conversations/c1/messages?limit=3&before=${newest.next}`))
      assert.deepStrictEqual(
        older.messages.map((m: { seq: number }) => m.seq),
        [0, 1, 2]
      )
      assert.isNull(older.next)
    })
  )

  it.effect("shows what would be sent, and why", () =>
    Effect.gen(function* () {
      const body = json(yield* call("GET", "/api/conversations/c1/context"))
      assert.strictEqual(body.title, null)
      assert.deepInclude(body, {
        model: "claude-sonnet-5-5",
        limit: 50_000,
        rawMessages: 5,
        lastSummary: null,
        pins: [2]
      })
      assert.deepStrictEqual(body.entries, [{ band: "recent", from: 0, to: 5, tokens: 15, segment: false, text: null }])
      assert.deepStrictEqual(body.decision, {
        compact: false,
        reason: "the cached prefix is kept",
        saves: { nanoUsd: 0, usd: 0 }
      })
      assert.strictEqual(body.request.messages.length, 1)
    })
  )

  for (const path of ["/api/conversations/none/messages", "/api/conversations/none/context"]) {
    it.effect(`an unknown conversation is a 404 problem: ${path}`, () =>
      Effect.gen(function* () {
        const answer = yield* call("GET", path)
        assert.strictEqual(answer.status, 404)
        assert.deepInclude(json(answer), {
          type: "urn:sluice:problem:conversation-not-found",
          status: 404,
          conversation: "none"
        })
      })
    )
  }

  it.effect("an id may be as long as it may be made, in any script", () =>
    Effect.gen(function* () {
      for (const [id, status, type] of [
        ["x".repeat(200), 404, "conversation-not-found"],
        ["語".repeat(200), 404, "conversation-not-found"],
        ["x".repeat(201), 400, "invalid-request"]
      ] as const) {
        const answer = yield* call("GET", `/api/conversations/${encodeURIComponent(id)}/messages`)
        assert.deepInclude(json(answer), { status, type: `urn:sluice:problem:${type}` })
        assert.strictEqual((yield* call("PUT", `/api/conversations/${encodeURIComponent(id)}/messages`)).status, 405)
      }
    })
  )

  for (const query of ["limit=0", "limit=1001", "limit=x", "before=-1", "before=1.5"]) {
    it.effect(`refuses ${query}`, () =>
      Effect.gen(function* () {
        const answer = yield* call("GET", `/api/conversations/c1/messages?${query}`)
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(json(answer).type, "urn:sluice:problem:invalid-request")
      })
    )
  }
})
