import { assert, type Vitest } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { ChatRepo, type NewMessage } from "../../src/chat/ChatRepo.ts"
import { MessageSearch, type SearchQuery } from "../../src/chat/MessageSearch.ts"
import { scan } from "../../src/chat/search/Scan.ts"
import { defaults } from "../../src/Settings.ts"

// Words of several scripts, parts of words, and what storage and queries are known to stumble over.
const pieces = [
  "alpha",
  "Alpha-beta",
  "gamma_7f3a",
  "delta",
  "commits",
  "Ümlaut",
  "設定",
  "x",
  "it's",
  "a\\b",
  "\u0000",
  "\ud800",
  "“quoted”",
  "::",
  "T1",
  "explorer",
  "\n"
]
const Word = Schema.Literals(pieces)
const Words = Schema.Array(Word).check(Schema.isMinLength(1), Schema.isMaxLength(4))
const Tool = Schema.Literals(["Bash", "Read", "Task", "command_agent", "odd 'name' | x"])
const Call = Schema.Literals(["a", "b", "c"])

const Seed = Schema.Union([
  Schema.TaggedStruct("say", { words: Words, role: Schema.Literals(["user", "assistant"]) }),
  Schema.TaggedStruct("call", { id: Call, tool: Tool, agent: Words, words: Words }),
  Schema.TaggedStruct("return", { id: Call, words: Words })
])

const Seq = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
/** One condition or two: with all of them nothing would ever be found. */
const rarely = <S extends Schema.Constraint>(schema: S) =>
  Schema.Union([Schema.Undefined, Schema.Undefined, Schema.Undefined, schema])
const Query = Schema.Struct({
  words: Schema.UndefinedOr(Words),
  tool: rarely(Tool),
  agent: rarely(Words),
  from: rarely(Seq),
  to: rarely(Seq),
  fromTime: rarely(Seq),
  toTime: rarely(Seq)
})

const Step = Schema.Union([
  Schema.TaggedStruct("append", {
    // The clock of one process may be behind that of another.
    at: Seq,
    messages: Schema.Array(Seed).check(Schema.isMinLength(1), Schema.isMaxLength(5))
  }),
  Schema.TaggedStruct("search", { query: Query })
])
const Steps = Schema.Array(Step).check(Schema.isMinLength(3), Schema.isMaxLength(16))

const message = (seed: typeof Seed.Type): NewMessage => {
  switch (seed._tag) {
    case "say":
      return { role: seed.role, content: seed.words.join(" "), tokens: 1 }
    case "call": {
      const input = { description: seed.agent.join(" "), prompt: seed.words.join(" ") }
      return { role: "assistant", content: [{ type: "tool_use", id: seed.id, name: seed.tool, input }], tokens: 1 }
    }
    case "return": {
      const content = `agentId: ${seed.words.join("_")} ${seed.words.join(" ")}`
      return { role: "user", content: [{ type: "tool_result", tool_use_id: seed.id, content }], tokens: 1 }
    }
  }
}

const asked = ({ agent, words, ...rest }: typeof Query.Type): SearchQuery => ({
  ...rest,
  words: words?.join(" "),
  agent: agent?.join(" "),
  limit: 100,
  chars: 200
})

const agentTools = new Set(defaults.agentTools)

/** Random conversations and queries: the index finds what reading everything finds. */
export const searchModel = (it: Vitest.MethodsNonLive<ChatRepo | MessageSearch>, runs: number): void => {
  it.effect.prop(
    "finds exactly what reading everything finds",
    [Steps],
    ([steps]) =>
      Effect.gen(function* () {
        const repo = yield* ChatRepo
        const { search } = yield* MessageSearch
        const { id } = yield* repo.create({})
        for (const step of steps) {
          if (step._tag === "append") {
            yield* TestClock.setTime(step.at)
            yield* repo.append(id, step.messages.map(message))
            continue
          }
          const query = asked(step.query)
          const expected = yield* scan(repo, agentTools, id, query)
          const { found, unsearched } = yield* search(id, query)
          const order = (seqs: ReadonlyArray<number>) =>
            (query.words ?? "").trim() === "" ? seqs : seqs.toSorted((a, b) => a - b)
          assert.deepStrictEqual(
            order(found.map(({ seq }) => seq)),
            order(expected.found.map(({ seq }) => seq)),
            JSON.stringify(query)
          )
          assert.strictEqual(unsearched, 0)
        }
      }),
    { timeout: 240_000, arbitrary: { runs } }
  )
}
