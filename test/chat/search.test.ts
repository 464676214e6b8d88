import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { bestPassage, queryWords } from "../../src/chat/excerpt.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { recallHistory } from "../../src/orchestrator/recall.ts"
import { transcript } from "../support/transcripts.ts"

const indexed = MessageSearch.layer.pipe(
  Layer.provideMerge(ChatRepo.layerNoDeps),
  Layer.provideMerge(Database.layerMemory)
)
const scanned = MessageSearch.layerScan.pipe(Layer.provideMerge(ChatRepo.layerMemory))

const query = (words: string) => ({ words, limit: 5, chars: 300 })
const context = { conversation: "", tenant: "default", agent: "orchestrator", toolUseId: "t" }

const history = [
  { role: "user" as const, content: "Never touch the production database, please.", tokens: 1 },
  {
    role: "assistant" as const,
    content: [
      { type: "tool_use", id: "t", name: "Bash", input: { command: 'git commit -m "fix: feat/gradient-colors"' } }
    ],
    tokens: 1
  },
  {
    role: "user" as const,
    content: [
      {
        type: "tool_result",
        tool_use_id: "t",
        content: `${"noise ".repeat(2_000)}\n[main 2bcd4622] restore TrueColor\n${"noise ".repeat(2_000)}`
      }
    ],
    tokens: 1
  },
  { role: "assistant" as const, content: "Über die Brücke: fertig, task_71faea4b.", tokens: 1 }
]

for (const [name, services] of [
  ["indexed words", indexed],
  ["a scan", scanned]
] as const) {
  layer(services, { timeout: "60 seconds" })(`search by ${name}`, (it) => {
    const filled = Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, history)
      return id
    })

    it.effect("finds ids, paths, umlauts and words inside long results, with the passage around them", () =>
      Effect.gen(function* () {
        const id = yield* filled
        const { search } = yield* MessageSearch
        const first = (words: string) => Effect.map(search(id, query(words)), ([found]) => found)
        assert.deepInclude(yield* first("2bcd4622"), { seq: 2 })
        assert.include((yield* first("which commit restored TrueColor"))?.excerpt, "[main 2bcd4622] restore TrueColor")
        assert.deepInclude(yield* first("gradient-colors"), { seq: 1 })
        assert.deepInclude(yield* first("task_71faea4b"), { seq: 3 })
        assert.deepInclude(yield* first("brücke"), { seq: 3 })
        assert.deepInclude(yield* first("What about production?"), { seq: 0 })
        assert.isUndefined(yield* first("zebra"))
        assert.isUndefined(yield* first("?!"))
      })
    )

    it.effect("keeps to message ranges and tools, and to what was appended since the last search", () =>
      Effect.gen(function* () {
        const id = yield* filled
        const repo = yield* ChatRepo
        const { search } = yield* MessageSearch
        assert.deepStrictEqual(yield* search(id, { ...query("production"), from: 1 }), [])
        assert.deepStrictEqual(
          (yield* search(id, { ...query("gradient colors"), tool: "Bash" })).map((f) => f.seq),
          [1]
        )
        assert.deepStrictEqual(yield* search(id, { ...query("production"), tool: "Bash" }), [])
        yield* repo.append(id, [{ role: "user", content: "production again", tokens: 1 }])
        assert.deepStrictEqual(
          (yield* search(id, query("production"))).map((f) => f.seq),
          [4, 0]
        )
      })
    )

    it.effect("an unknown conversation is an error; quotes and operators are only words", () =>
      Effect.gen(function* () {
        const { search } = yield* MessageSearch
        assert.strictEqual((yield* Effect.flip(search("nowhere", query("x"))))._tag, "ConversationNotFound")
        const id = yield* filled
        for (const words of ["a'b | c & !d", "'; DROP TABLE messages; --", "((( ", "\\u0000 \\n", "%_"]) {
          yield* search(id, query(words))
        }
      })
    )

    it.effect("as a tool answers bounded excerpts, and says how it is called when it is called wrongly", () =>
      Effect.gen(function* () {
        const id = yield* filled
        const tool = recallHistory(yield* MessageSearch)
        const answer = yield* tool.run({ query: "TrueColor commit" }, { ...context, conversation: id })
        assert.match(String(answer), /\[message 2, user/)
        assert.isBelow(String(answer).length, 4_500)
        const error = yield* Effect.flip(tool.run({ words: "x" }, { ...context, conversation: id }))
        assert.include(error.message, "query")
      })
    )
  })
}

layer(indexed, { timeout: "120 seconds" })("search in real conversations", (it) => {
  const file = new URL("../../../shared/data/probes.json", import.meta.url)

  it.effect("reaches every memory probe in one call", () =>
    Effect.gen(function* () {
      if (!existsSync(file)) return
      const probes: ReadonlyArray<{ conversation: string; question: string; answerKeywords: ReadonlyArray<string> }> =
        JSON.parse(readFileSync(file, "utf8"))
      const repo = yield* ChatRepo
      const tool = recallHistory(yield* MessageSearch)
      const ids = new Map<string, string>()
      const missed: Array<string> = []
      for (const { answerKeywords, conversation } of probes) {
        const known = ids.get(conversation)
        const id = known ?? (yield* repo.create({})).id
        if (known === undefined) yield* repo.append(id, transcript(`${conversation}.jsonl`))
        ids.set(conversation, id)
        const answer = String(yield* tool.run({ query: answerKeywords.join(" ") }, { ...context, conversation: id }))
        if (!answerKeywords.every((word) => answer.includes(word)))
          missed.push(`${conversation}: ${answerKeywords.join(" | ")}`)
      }
      assert.deepStrictEqual(missed, [])
    })
  )
})

describe("passages and words", () => {
  it("common words are left out unless nothing else is asked", () => {
    assert.deepStrictEqual(queryWords("What is the commit of feat/x?"), ["commit", "feat", "x"])
    assert.deepStrictEqual(queryWords("who are you"), ["who", "are", "you"])
  })
  it("the passage holds the most of the words", () => {
    const text = `alpha ${"x".repeat(1_000)} alpha beta ${"y".repeat(1_000)} beta`
    assert.include(bestPassage(text, "beta alpha", 100).excerpt, "alpha beta")
  })
})
