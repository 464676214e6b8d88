import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch, type SearchQuery } from "../../src/chat/MessageSearch.ts"
import type { Content } from "../../src/domain/Message.ts"
import { recallHistory } from "../../src/orchestrator/recall.ts"

const minute = 60_000

export const query = (words?: string): SearchQuery => ({ words, limit: 5, chars: 300 })
export const toolContext = { conversation: "", tenant: "default", agent: "orchestrator", toolUseId: "t" }

export const said = (role: "user" | "assistant", content: Content) => ({ role, content, tokens: 1 })
export const calls = (id: string, name: string, input: unknown) =>
  said("assistant", [{ type: "tool_use", id, name, input }])
export const returns = (id: string, content: string) =>
  said("user", [{ type: "tool_result", tool_use_id: id, content }])

const noise = "noise ".repeat(2_000)

const history = [
  said("user", "Never touch the production database, please."),
  calls("t", "Bash", { command: 'git commit -m "fix: feat/gradient-colors"' }),
  returns("t", `${noise}\n[main 2bcd4622] restore TrueColor\n${noise}`),
  said("assistant", "Über die Brücke: fertig, task_71faea4b. 設定を変更した。"),
  calls("u", "Task", { description: "T1: color package", subagent_type: "general" }),
  returns("u", "Done. agentId: ab740d2c1dc4e305f, colors are tested."),
  calls("v", "command_agent", { to: "ab740d2c1dc4e305f", message: "now the docs" }),
  calls("w", "Read", { path: "docs/colors.md" }),
  returns("w", "# Colors\nab740d2c1dc4e305f")
]

/** A conversation with one message a minute, the first at minute 0. */
export const filled = (messages = history) =>
  Effect.gen(function* () {
    const repo = yield* ChatRepo
    yield* TestClock.setTime(0)
    const { id } = yield* repo.create({})
    for (const message of messages) {
      yield* repo.append(id, [message])
      yield* TestClock.adjust(minute)
    }
    return id
  })

const numbers = (id: string, asked: SearchQuery) =>
  MessageSearch.use(({ search }) => Effect.map(search(id, asked), ({ found }) => found.map(({ seq }) => seq)))

/** What every way of searching does. */
export const searchSuite = (it: Vitest.MethodsNonLive<ChatRepo | MessageSearch>): void => {
  it.effect("finds ids, paths, umlauts and words inside long results, with the passage around them", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      const { search } = yield* MessageSearch
      const first = (words: string) => Effect.map(search(id, query(words)), ({ found }) => found[0])
      assert.deepInclude(yield* first("2bcd4622"), { seq: 2 })
      assert.include((yield* first("which commit restored TrueColor"))?.excerpt, "[main 2bcd4622] restore TrueColor")
      assert.deepInclude(yield* first("gradient-colors"), { seq: 1 })
      assert.deepInclude(yield* first("task_71faea4b"), { seq: 3, createdAt: 3 * minute })
      assert.deepInclude(yield* first("brücke"), { seq: 3 })
      assert.deepInclude(yield* first("変更"), { seq: 3 })
      assert.deepInclude(yield* first("What about production?"), { seq: 0 })
      assert.isUndefined(yield* first("zebra"))
      assert.isUndefined(yield* first("?!"))
      assert.deepInclude(yield* first("# "), { seq: 8 })
    })
  )

  it.effect("keeps to tools: a result belongs to the tool of its call", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      assert.deepStrictEqual(yield* numbers(id, { ...query("colors"), tool: "Bash" }), [1])
      assert.deepStrictEqual(yield* numbers(id, { ...query("colors"), tool: "Read" }), [7, 8])
      assert.deepStrictEqual(yield* numbers(id, { ...query("production"), tool: "Bash" }), [])
      assert.deepStrictEqual(yield* numbers(id, { ...query("colors"), tool: "bash' | 'x" }), [])
    })
  )

  it.effect("keeps to sub-agents, by their name, words of it or their id", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      for (const agent of ["T1: color package", "t1", "package color"])
        assert.deepStrictEqual(yield* numbers(id, { ...query(), agent }), [5, 4])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), agent: "ab740d2c1dc4e305f" }), [6, 5])
      assert.deepStrictEqual(yield* numbers(id, { ...query("tested"), agent: "T1" }), [5])
      for (const agent of ["T2", "T1 docs", "::", ""])
        assert.deepStrictEqual(yield* numbers(id, { ...query(), agent }), [])
    })
  )

  it.effect("keeps to numbers and times, and without words reads on from a start or back from the end", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      assert.deepStrictEqual(yield* numbers(id, { ...query("production"), from: 1 }), [])
      assert.deepStrictEqual(yield* numbers(id, { ...query("colors"), from: 2, to: 7 }), [7, 5, 4])
      assert.deepStrictEqual(yield* numbers(id, { ...query("colors"), toTime: 5 * minute - 1 }), [1, 4])
      assert.deepStrictEqual(yield* numbers(id, query()), [8, 7, 6, 5, 4])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), to: 2 }), [2, 1, 0])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), from: 2, to: 4 }), [2, 3, 4])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), fromTime: 4 * minute, tool: "Read" }), [7, 8])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), fromTime: 9 * minute }), [])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), from: 5, to: 2 }), [])
    })
  )

  it.effect("finds what was appended since the last search", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      assert.deepStrictEqual(yield* numbers(id, query("production")), [0])
      yield* ChatRepo.use((repo) => repo.append(id, [said("user", "production again"), returns("w", "late colors")]))
      assert.deepStrictEqual(yield* numbers(id, query("production")), [9, 0])
      assert.deepStrictEqual(yield* numbers(id, { ...query("late"), tool: "Read" }), [10])
    })
  )

  it.effect("an unknown conversation is an error; quotes and operators are only words", () =>
    Effect.gen(function* () {
      const { search } = yield* MessageSearch
      for (const unknown of ["nowhere", "", "\u0000"])
        assert.strictEqual((yield* Effect.flip(search(unknown, query("x"))))._tag, "ConversationNotFound")
      const id = yield* filled()
      const odd = [
        "a'b | c & !d",
        "'; DROP TABLE messages; --",
        "((( ",
        "\\u0000 \\n",
        "%_",
        "\u0000a\ud800",
        "x".repeat(5_000)
      ]
      for (const words of odd) {
        yield* search(id, query(words))
        yield* search(id, { ...query(), tool: words })
        yield* search(id, { ...query(), agent: words })
      }
    })
  )

  it.effect("takes messages of any size and wording", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      const repo = yield* ChatRepo
      const distinct = Array.from({ length: 90_000 }, (_, i) => String.fromCodePoint(0x20000 + (i % 42_000))).join(" ")
      const longName = "名".repeat(300)
      const uses = Array.from({ length: 600 }, (_, i) => ({
        type: "tool_use",
        id: `x${i}`,
        name: `${longName}${i}`,
        input: {}
      }))
      yield* repo.append(id, [
        said("user", distinct),
        said("assistant", uses),
        said("user", `${"é".repeat(150_000)} last`)
      ])
      assert.deepStrictEqual(yield* numbers(id, query("last")), [11])
      assert.deepStrictEqual(yield* numbers(id, { ...query(), tool: longName }), [10])
      assert.include(yield* numbers(id, query(String.fromCodePoint(0x20000))), 9)
    })
  )

  it.effect("as a tool answers bounded excerpts, and says how it is called when it is called wrongly", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      const tool = recallHistory(yield* MessageSearch)
      const run = (input: unknown) => tool.run(input, { ...toolContext, conversation: id })
      const answer = String(yield* run({ query: "TrueColor commit" }))
      assert.match(answer, /\[message 2, user, 1970-01-01 00:02 UTC\]/)
      assert.isBelow(answer.length, 4_500)
      assert.include(String(yield* run({ query: "zebra" })), "Nothing")
      assert.match(String(yield* run({ agent: "T1", to_time: "1970-01-01" })), /message 5[\s\S]*message 4/)
      assert.notInclude(String(yield* run({ agent: "T1", from_time: "1970-01-01T00:05Z" })), "message 4")
      for (const wrong of [
        { words: "x" },
        {},
        { query: "" },
        { query: "x", from_time: "soon" },
        { from_message: -1 },
        7
      ])
        assert.include((yield* Effect.flip(run(wrong))).message, "query")
    })
  )

  it.effect("finds neither its own calls nor its own answers", () =>
    Effect.gen(function* () {
      const id = yield* filled()
      const tool = recallHistory(yield* MessageSearch)
      const run = () => Effect.map(tool.run({ query: "production" }, { ...toolContext, conversation: id }), String)
      const before = yield* run()
      yield* ChatRepo.use((repo) =>
        repo.append(id, [
          calls("r", "recall_history", { query: "production" }),
          returns("r", before),
          calls("m", "mcp__sluice__recall_history", { query: "production" }),
          returns("m", before)
        ])
      )
      assert.strictEqual(yield* run(), before)
    })
  )
}
