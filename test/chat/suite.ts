import { assert, describe, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ChatRepo, type NewMessage } from "../../src/chat/ChatRepo.ts"
import type { Content } from "../../src/domain/Message.ts"

export const user = (content: Content, tokens = 10): NewMessage => ({ role: "user", content, tokens })
const numbered = (n: number, tokens = 10) => Array.from({ length: n }, (_, i) => user(`message ${i}`, tokens))

const segment = (hash: string, from: number, to: number, detail: "light" | "heavy" = "light") => ({
  ...{ hash, detail, from, to },
  ...{ text: `summary ${hash}`, tokens: 5, createdAt: 7 }
})
const agent = (name: string, lastSeq: number, status = `at ${lastSeq}`) => ({ name, status, lastSeq, updatedAt: 3 })

/** A conversation of its own for each test: the database is shared by the file. */
const conversation = Effect.map(
  ChatRepo.use((repo) => repo.create({})),
  ({ id }) => id
)

type It = Vitest.MethodsNonLive<ChatRepo>

const conversations = (it: It) => {
  it.effect("creates with defaults and an id that sorts by time", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      yield* TestClock.setTime(1_800_000_000_000)
      const first = yield* repo.create({})
      const second = yield* repo.create({ tenant: "acme", title: "A\ntitle", model: "claude-x" })
      assert.strictEqual(first.tenant, "default")
      assert.strictEqual(first.title, null)
      assert.strictEqual(first.createdAt, 1_800_000_000_000)
      assert.isTrue(second.id > first.id)
      assert.match(first.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      assert.deepStrictEqual(yield* repo.get(second.id), second)
      assert.strictEqual(second.title, "A\ntitle")
    })
  )

  it.effect("returns what exists when the same tenant creates it again, also at once", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = `${(yield* repo.create({})).id}-again`
      const first = yield* repo.create({ id, title: "first" })
      const again = yield* repo.create({ id, title: "second" })
      assert.deepStrictEqual(again, first)
      const racing = yield* Effect.all(
        Array.from({ length: 8 }, () => repo.create({ id: `${id}-race` })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(racing.map((c) => c.id)).size, 1)
    })
  )

  it.effect("refuses another tenant's id", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({ tenant: "acme" })
      const error = yield* Effect.flip(repo.create({ id, tenant: "umbrella" }))
      assert.strictEqual(error.kind, "conflict")
      assert.isFalse(error.retryable)
      assert.strictEqual((yield* repo.get(id)).tenant, "acme")
    })
  )

  it.effect("refuses names and titles that cannot be stored", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const bad = [
        { id: "" },
        { id: "a\u0000b" },
        { id: "line\nbreak" },
        { id: "x".repeat(201) },
        { tenant: "" },
        { tenant: "half \ud800" },
        { title: "x".repeat(501) },
        { title: "nul \u0000" },
        { model: "\u0007" }
      ]
      for (const input of bad) {
        const error = yield* Effect.flip(repo.create(input))
        assert.strictEqual(error.kind, "invalid", JSON.stringify(input))
      }
      yield* repo.create({
        tenant: "é😀".repeat(50),
        title: "😀".repeat(250),
        id: `ü😀 ${(yield* repo.create({})).id}`
      })
    })
  )

  it.effect("lists newest first by keyset, each once, only the tenant's", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const tenant = `lister ${(yield* repo.create({})).id}`
      const made: Array<string> = []
      for (let i = 0; i < 7; i++) {
        made.push((yield* repo.create({ tenant })).id)
        yield* repo.create({ tenant: "somebody else" })
      }
      const seen: Array<string> = []
      for (let before: string | undefined; seen.length < 7; before = seen.at(-1)) {
        const page = yield* repo.list({ tenant, before, limit: 3 })
        assert.isAtMost(page.length, 3)
        assert.isNotEmpty(page)
        seen.push(...page.map((c) => c.id))
      }
      assert.deepStrictEqual(seen, made.toReversed())
      assert.isEmpty(yield* repo.list({ tenant, before: made[0], limit: 3 }))
      const unknown = yield* Effect.flip(repo.list({ tenant, before: "never made", limit: 3 }))
      assert.strictEqual(unknown.kind, "invalid")
    })
  )

  it.effect("names a conversation that is not there, whatever is asked of it", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      for (const id of ["missing", "", "nul \u0000", "half \udfff", "x".repeat(5000)]) {
        const asked: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          repo.get(id),
          repo.append(id, [user("x")]),
          repo.append(id, []),
          repo.messages(id, { limit: 1 }),
          repo.history(id, { maxTokens: 1, limit: 1 }),
          repo.segments(id),
          repo.saveSegments(id, [segment("h", 0, 1)]),
          repo.saveSegments(id, []),
          repo.agents(id),
          repo.saveAgents(id, [agent("a", 1)]),
          repo.layout(id),
          repo.saveLayout(id, "{}")
        ]
        for (const effect of asked) assert.strictEqual((yield* Effect.flip(effect))._tag, "ConversationNotFound")
      }
    })
  )
}

const messages = (it: It) => {
  it.effect("appends in order, numbers from 0, and gives back the very contents", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      yield* TestClock.setTime(1_234)
      const content = [{ type: "text", text: "hi" }]
      const first = yield* repo.append(id, [user(content, 3), { role: "assistant", content: "yes", tokens: 4 }])
      const second = yield* repo.append(id, [{ role: "system", content: "be brief", tokens: 0 }])
      assert.deepStrictEqual(first, [
        { seq: 0, role: "user", content, tokens: 3, createdAt: 1_234 },
        { seq: 1, role: "assistant", content: "yes", tokens: 4, createdAt: 1_234 }
      ])
      assert.strictEqual(first[0]?.content, content)
      assert.deepStrictEqual(yield* repo.messages(id, { limit: 10 }), [...first, ...second])
      assert.strictEqual((yield* repo.get(id)).messages, 3)
      assert.isEmpty(yield* repo.append(id, []))
      assert.strictEqual((yield* repo.get(id)).messages, 3)
    })
  )

  it.effect("leaves no gap and no double under concurrent writers", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const appended = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i),
        (i) => repo.append(id, [user(`${i} a`), user(`${i} b`)]),
        { concurrency: 16 }
      )
      const all = yield* repo.messages(id, { limit: 100 })
      assert.deepStrictEqual(
        all.map((m) => m.seq),
        Array.from({ length: 80 }, (_, i) => i)
      )
      for (const pair of appended) assert.deepStrictEqual(all.slice(pair[0]?.seq, (pair[1]?.seq ?? 0) + 1), [...pair])
    })
  )

  it.effect("stores all of a batch or none, also one of many statements", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const bad = [...numbered(3), user([{ type: "text" }])]
      assert.strictEqual((yield* Effect.flip(repo.append(id, bad)))._tag, "ChatRepoError")
      assert.strictEqual((yield* repo.get(id)).messages, 0)
      const many = yield* repo.append(id, numbered(1_700))
      assert.strictEqual(many.length, 1_700)
      assert.strictEqual(many.at(-1)?.seq, 1_699)
      assert.deepStrictEqual(yield* repo.messages(id, { limit: 2_000 }), many)
    })
  )

  it.effect("refuses what could not be read back", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const cyclic: { type: string; self?: unknown } = { type: "text2" }
      cyclic.self = cyclic
      class Block {
        readonly [field: string]: unknown
        get type() {
          return "text"
        }
        get text() {
          return "only on the prototype"
        }
      }
      const bad: ReadonlyArray<NewMessage> = [
        user([cyclic]),
        user([{ type: "odd", n: 1n }]),
        user([new Block()]),
        user("x", -1),
        user("x", 1.5),
        user("x", 2 ** 31),
        user("x".repeat(33 * 1024 * 1024))
      ]
      for (const message of bad) {
        const error = yield* Effect.flip(repo.append(id, [message]))
        assert.strictEqual(error._tag === "ChatRepoError" && error.kind, "invalid")
        assert.isBelow(error.message.length, 600)
      }
      assert.strictEqual((yield* repo.get(id)).messages, 0)
    })
  )

  it.effect("brings huge messages back exactly", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const text = "läng\u0000 😀\ud800\n".repeat(450_000)
      const content = [{ type: "tool_result", tool_use_id: "t", content: text }]
      yield* repo.append(id, [user("before"), user(content), user("after")])
      const back = yield* repo.messages(id, { limit: 10 })
      assert.isTrue(JSON.stringify(back[1]?.content) === JSON.stringify(content))
      assert.strictEqual(back.length, 3)
    })
  )

  it.effect("pages by keyset from either end", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const seqs = (page: { before?: number; after?: number; limit: number }) =>
        Effect.map(repo.messages(id, page), (found) => found.map((m) => m.seq))
      assert.deepStrictEqual(yield* seqs({ limit: 5 }), [])
      yield* repo.append(id, numbered(10))
      assert.deepStrictEqual(yield* seqs({ limit: 3 }), [7, 8, 9])
      assert.deepStrictEqual(yield* seqs({ before: 7, limit: 3 }), [4, 5, 6])
      assert.deepStrictEqual(yield* seqs({ before: 1, limit: 3 }), [0])
      assert.deepStrictEqual(yield* seqs({ before: 0, limit: 3 }), [])
      assert.deepStrictEqual(yield* seqs({ after: -1, limit: 3 }), [0, 1, 2])
      assert.deepStrictEqual(yield* seqs({ after: 7, limit: 3 }), [8, 9])
      assert.deepStrictEqual(yield* seqs({ after: 9, limit: 3 }), [])
      assert.deepStrictEqual(yield* seqs({ after: 2, before: 6, limit: 2 }), [4, 5])
      assert.deepStrictEqual(yield* seqs({ before: 9_000_000_000, limit: 2 }), [8, 9])
      for (const limit of [0, -1, 1.5, 10_001, Number.NaN]) {
        assert.strictEqual((yield* Effect.flip(repo.messages(id, { limit })))._tag, "ChatRepoError")
      }
    })
  )
}

const history = (it: It) => {
  it.effect("holds the newest messages that fit the budget, and the segments before them", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      yield* repo.append(
        id,
        [5, 0, 20, 0, 7, 3].map((tokens, i) => user(`m${i}`, tokens))
      )
      yield* repo.saveSegments(id, [segment("c", 4, 6), segment("b", 2, 4), segment("a", 0, 2, "heavy")])
      const bound = (maxTokens: number, limit = 100) =>
        Effect.map(repo.history(id, { maxTokens, limit }), (h) => [
          h.messages.map((m) => m.seq),
          h.segments.map((s) => s.hash).join("")
        ])
      assert.deepStrictEqual(yield* bound(1_000), [[0, 1, 2, 3, 4, 5], ""])
      assert.deepStrictEqual(yield* bound(35), [[0, 1, 2, 3, 4, 5], ""])
      assert.deepStrictEqual(yield* bound(34), [[1, 2, 3, 4, 5], "a"])
      assert.deepStrictEqual(yield* bound(10), [[3, 4, 5], "ab"])
      assert.deepStrictEqual(yield* bound(9), [[5], "abc"])
      assert.deepStrictEqual(yield* bound(0), [[], "abc"])
      assert.deepStrictEqual(yield* bound(1_000, 2), [[4, 5], "ab"])
      assert.deepStrictEqual(yield* bound(Number.MAX_SAFE_INTEGER, 1), [[5], "abc"])
      assert.strictEqual((yield* Effect.flip(repo.history(id, { maxTokens: -1, limit: 1 })))._tag, "ChatRepoError")
    })
  )

  it.effect("is empty for a conversation that has only begun", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const empty = yield* repo.history(yield* conversation, { maxTokens: 100, limit: 10 })
      assert.deepStrictEqual(empty, { messages: [], segments: [] })
    })
  )
}

const derived = (it: It) => {
  it.effect("keeps a segment as it was first saved", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const odd = { ...segment("odd", 3, 9), text: "nul \u0000 half \ud800 😀" }
      yield* repo.saveSegments(id, [segment("z", 3, 5), odd, segment("z", 0, 99)])
      yield* repo.saveSegments(id, [segment("y", 3, 5, "heavy"), { ...segment("z", 7, 8), text: "changed" }])
      assert.deepStrictEqual(yield* repo.segments(id), [segment("y", 3, 5, "heavy"), odd, segment("z", 3, 5)])
      assert.deepStrictEqual(yield* repo.segments(id, ["z", "unknown", "y"]), [
        segment("y", 3, 5, "heavy"),
        segment("z", 3, 5)
      ])
      assert.isEmpty(yield* repo.segments(id, []))
      assert.isEmpty(yield* repo.segments(yield* conversation))
    })
  )

  it.effect("keeps the newest word about an agent", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      const odd = agent("odd \u0000\ud800", 1, "\u0000")
      yield* repo.saveAgents(id, [agent("b", 5), agent("a", 2, "old"), agent("a", 2, "later"), odd])
      yield* repo.saveAgents(id, [agent("b", 4), agent("a", 2, "latest"), agent("a", 1)])
      assert.deepStrictEqual(yield* repo.agents(id), [agent("a", 2, "latest"), agent("b", 5), odd])
      assert.isEmpty(yield* repo.agents(yield* conversation))
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => i),
        (i) => repo.saveAgents(id, i % 2 === 0 ? [agent("x", i), agent("y", i)] : [agent("y", i), agent("x", i)]),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual((yield* repo.agents(id)).slice(-2), [agent("x", 19), agent("y", 19)])
    })
  )

  it.effect("keeps the layout", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      assert.isNull(yield* repo.layout(id))
      yield* repo.saveLayout(id, "{}")
      yield* repo.saveLayout(id, '{"b":1,"a":"😀"}')
      assert.strictEqual(yield* repo.layout(id), '{"b":1,"a":"😀"}')
      yield* repo.append(id, numbered(1))
      assert.strictEqual(yield* repo.layout(id), '{"b":1,"a":"😀"}')
      assert.strictEqual((yield* Effect.flip(repo.saveLayout(id, "\u0000")))._tag, "ChatRepoError")
    })
  )
}

/** What every ChatRepo does, wherever it keeps things. */
export const chatRepoSuite = (it: It): void => {
  describe("conversations", () => conversations(it))
  describe("messages", () => messages(it))
  describe("history", () => history(it))
  describe("segments, agents, layout", () => derived(it))
}
