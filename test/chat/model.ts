import { assert, type Vitest } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ChatRepo, type NewMessage } from "../../src/chat/ChatRepo.ts"
import type { Content, ContentBlock } from "../../src/domain/Message.ts"

// Joined from pieces that storage is known to spoil: NUL, halves of surrogate pairs, quotes, line ends, astral characters.
const pieces = [
  "a",
  "\u0000",
  "\ud800",
  "\udc00",
  "😀",
  '"',
  "\\",
  "\n",
  "\u2028",
  "é",
  "{",
  "\u0007",
  " ",
  "'",
  "$1",
  "\\u0000"
]
const NastyText = Schema.Array(Schema.Literals(pieces)).check(Schema.isMaxLength(12))
const Leaf = Schema.Union([NastyText, Schema.Int, Schema.Finite, Schema.Boolean, Schema.Null])
const Block = Schema.Struct({
  kind: Schema.Literals(["text", "tool_use", "tool_result", "invented_in_2031"]),
  text: NastyText,
  keys: Schema.Array(Schema.Struct({ key: NastyText, value: Leaf })).check(Schema.isMaxLength(4))
})
const NewMessageSeed = Schema.Struct({
  role: Schema.Literals(["user", "assistant", "system"]),
  text: Schema.NullOr(NastyText),
  blocks: Schema.Array(Block).check(Schema.isMaxLength(3)),
  tokens: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  repeat: Schema.Literals([1, 1, 1, 1, 500])
})
const Conversation = Schema.Literals([0, 1, 2])
const Bound = Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 12 }))
const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 8 }))
const Step = Schema.Union([
  Schema.TaggedStruct("append", {
    to: Conversation,
    messages: Schema.Array(NewMessageSeed).check(Schema.isMaxLength(4))
  }),
  Schema.TaggedStruct("page", {
    of: Conversation,
    before: Schema.NullOr(Bound),
    after: Schema.NullOr(Bound),
    limit: Limit
  }),
  Schema.TaggedStruct("history", {
    of: Conversation,
    maxTokens: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 120 })),
    limit: Limit
  })
])
export const Steps = Schema.Array(Step).check(Schema.isMinLength(3), Schema.isMaxLength(25))
type Seed = typeof NewMessageSeed.Type

const textOf = (text: ReadonlyArray<string>, repeat: number): string => text.join("").repeat(repeat)

const blockOf = ({ keys, kind, text }: typeof Block.Type, repeat: number): ContentBlock => ({
  ...Object.fromEntries(keys.map(({ key, value }) => [key.join(""), Array.isArray(value) ? value.join("") : value])),
  ...{ type: kind, text: textOf(text, repeat), id: "t", name: "n", tool_use_id: "t", content: textOf(text, 1) }
})

const contentOf = ({ blocks, repeat, text }: Seed): Content =>
  text === null ? blocks.map((block) => blockOf(block, repeat)) : textOf(text, repeat)

interface Expected {
  readonly seq: number
  readonly role: string
  readonly json: string
  readonly tokens: number
}

const page = (all: ReadonlyArray<Expected>, before: number | null, after: number | null, limit: number) => {
  const within = all.filter((m) => (before === null || m.seq < before) && (after === null || m.seq > after))
  return before === null && after !== null ? within.slice(0, limit) : within.slice(-limit)
}

const history = (all: ReadonlyArray<Expected>, maxTokens: number, limit: number) => {
  for (let n = Math.min(limit, all.length); n > 0; n--) {
    const newest = all.slice(-n)
    if (newest.reduce((sum, m) => sum + m.tokens, 0) <= maxTokens) return newest
  }
  return []
}

const seen = (messages: ReadonlyArray<{ seq: number; role: string; content: unknown; tokens: number }>) =>
  messages.map(({ content, role, seq, tokens }): Expected => ({ seq, role, json: JSON.stringify(content), tokens }))

const runStep = Effect.fnUntraced(function* (
  ids: ReadonlyArray<string>,
  lists: ReadonlyArray<Array<Expected>>,
  step: (typeof Steps.Type)[number]
) {
  const repo = yield* ChatRepo
  const at = step._tag === "append" ? step.to : step.of
  const id = ids[at] ?? ""
  const list = lists[at] ?? []
  switch (step._tag) {
    case "append": {
      const messages: ReadonlyArray<NewMessage> = step.messages.map((seed) => ({
        ...{ role: seed.role, content: contentOf(seed), tokens: seed.tokens }
      }))
      const added = messages.map((m, i) => ({ ...m, seq: list.length + i }))
      assert.deepStrictEqual(seen(yield* repo.append(id, messages)), seen(added))
      list.push(...seen(added))
      return
    }
    case "page": {
      const bounds = { before: step.before ?? undefined, after: step.after ?? undefined, limit: step.limit }
      const found = seen(yield* repo.messages(id, bounds))
      return assert.deepStrictEqual(found, page(list, step.before, step.after, step.limit))
    }
    case "history": {
      const found = yield* repo.history(id, { maxTokens: step.maxTokens, limit: step.limit })
      return assert.deepStrictEqual(seen(found.messages), history(list, step.maxTokens, step.limit))
    }
  }
})

/** Invariant 1: whatever is appended and read in whatever order, a repo is a list of what it was given. */
export const modelSuite = (it: Vitest.MethodsNonLive<ChatRepo>, runs: number): void =>
  it.effect.prop(
    "is a list of what it was given, byte for byte, whatever is appended and read",
    [Steps],
    Effect.fnUntraced(function* ([steps]) {
      const { create, get, messages } = yield* ChatRepo
      const ids = [(yield* create({})).id, (yield* create({})).id, (yield* create({})).id]
      const lists: ReadonlyArray<Array<Expected>> = [[], [], []]
      for (const step of steps) yield* runStep(ids, lists, step)
      for (const [i, id] of ids.entries()) {
        assert.deepStrictEqual(seen(yield* messages(id, { limit: 10_000 })), lists[i])
        assert.strictEqual((yield* get(id)).messages, lists[i]?.length)
      }
    }),
    { timeout: 240_000, arbitrary: { runs } }
  )
