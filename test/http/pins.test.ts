import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { ContextManager } from "../../src/context/ContextManager.ts"
import { call, json } from "./fakes.ts"
import { whole } from "./whole.ts"

const settings = {
  maxContextTokens: 6_000,
  recentMessagesFull: 6,
  midRangeMessages: 12,
  gatewayTokens: new Map([
    ["acme", Redacted.make("acme-token")],
    ["globex", Redacted.make("globex-token")]
  ])
}
const headers = { "x-api-key": "acme-token" }
const line = "The quick brown fox number jumps over the lazy dog of the billing service. "

/** A conversation of tenant acme, long enough to be compacted when a request prepares it. */
const talk = Effect.fnUntraced(function* (turns: number) {
  const chat = yield* ChatRepo
  const { id } = yield* chat.create({ tenant: "acme" })
  for (let turn = 0; turn < turns; turn++) {
    yield* chat.append(id, [
      { role: "user", content: `Question ${turn}. ${line.repeat(6)}`, tokens: 150 },
      { role: "assistant", content: `Answer ${turn}. ${line.repeat(6)}`, tokens: 150 }
    ])
  }
  return id
})

const view = (id: string) => Effect.map(call("GET", `/api/conversations/${id}/context`, { headers }), json)
const pin = (id: string, seq: number | string, method: "PUT" | "DELETE" = "PUT", as = headers) =>
  call(method, `/api/conversations/${id}/pins/${seq}`, { headers: as })

layer(whole(settings))("pins and summaries over HTTP", (it) => {
  it.effect("a pinned message is told of, is written at the next compaction, and is let go again", () =>
    Effect.gen(function* () {
      const id = yield* talk(1)
      const answer = yield* pin(id, 0)
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(json(answer), { pins: [0] })
      assert.deepStrictEqual((yield* view(id)).pins, [0])
      yield* pin(id, 1)
      assert.deepStrictEqual(json(yield* pin(id, 0, "DELETE")), { pins: [1] })
      assert.deepStrictEqual(json(yield* pin(id, 0, "DELETE")), { pins: [1] }, "twice is no error")
    })
  )

  it.effect("what does not exist cannot be pinned, and says so", () =>
    Effect.gen(function* () {
      const id = yield* talk(1)
      const missing = yield* pin(id, 2)
      assert.strictEqual(missing.status, 404)
      assert.deepInclude(json(missing), { type: "urn:sluice:problem:message-not-found", conversation: id, seq: 2 })
      assert.match(json(missing).detail, /has no message 2: its messages are numbered from 0/)
      assert.strictEqual((yield* pin("none", 0)).status, 404)
      assert.strictEqual((yield* pin("none", 0, "DELETE")).status, 404)
      for (const wrong of ["-1", "1.5", "x", "99999999999"]) {
        assert.strictEqual((yield* pin(id, wrong)).status, 400, wrong)
      }
    })
  )

  it.effect("the eleventh pin is refused, and none is dropped in silence", () =>
    Effect.gen(function* () {
      const id = yield* talk(6)
      for (let seq = 0; seq < 10; seq++) assert.strictEqual((yield* pin(id, seq)).status, 200)
      const refused = yield* pin(id, 10)
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(json(refused).type, "urn:sluice:problem:too-many-pins")
      assert.strictEqual((yield* pin(id, 3)).status, 200, "one that is pinned already")
      assert.deepStrictEqual((yield* view(id)).pins, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })
  )

  it.effect("needs a token, and the tenant's own", () =>
    Effect.gen(function* () {
      const id = yield* talk(1)
      assert.strictEqual((yield* call("PUT", `/api/conversations/${id}/pins/0`)).status, 401)
      assert.strictEqual((yield* pin(id, 0, "PUT", { "x-api-key": "globex-token" })).status, 404)
      assert.strictEqual((yield* pin(id, 0, "DELETE", { "x-api-key": "globex-token" })).status, 404)
    })
  )

  it.effect("looking at a context changes nothing; after a compaction it shows the segments and the last summary", () =>
    Effect.gen(function* () {
      const id = yield* talk(20)
      yield* pin(id, 2)
      yield* (yield* ChatRepo).append(id, [{ role: "user", content: "And now?", tokens: 5 }])
      const before = yield* view(id)
      assert.isTrue(before.decision.compact, before.decision.reason)
      assert.strictEqual(before.decision.saves.usd, before.decision.saves.nanoUsd / 1e9)
      assert.isNull(before.lastSummary)
      assert.deepStrictEqual(yield* view(id), before, "to look twice is to see the same")

      yield* (yield* ContextManager).prepare(id, { model: "claude-sonnet-5-5" })
      const after = yield* view(id)
      const segments = after.entries.filter((entry: { segment: boolean }) => entry.segment)
      assert.isNotEmpty(segments)
      for (const { text } of segments) assert.isNotEmpty(text)
      const { detail, from, text, to } = after.lastSummary
      assert.deepStrictEqual([from, to, text], [segments.at(-1).from, segments.at(-1).to, segments.at(-1).text])
      assert.include(["light", "heavy"], detail)
      assert.include(JSON.stringify(after.request.messages[0]), "message 2: Question 1.")
    })
  )
})

layer(whole({ enabled: { context: false } }))("pins without context management", (it) => {
  it.effect("are refused: every message is sent in full", () =>
    Effect.gen(function* () {
      const id = yield* talk(1)
      const refused = yield* call("PUT", `/api/conversations/${id}/pins/0`)
      assert.strictEqual(refused.status, 400)
      assert.include(json(refused).detail, "CONTEXT_ENABLED")
      const shown = yield* call("GET", `/api/conversations/${id}/context`)
      assert.strictEqual(shown.status, 200, shown.text)
      assert.deepInclude(json(shown), { pins: [], lastSummary: null })
    })
  )
})
