import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mentionsOf, usedBy } from "../../src/cli/replay/Identifiers.ts"
import type { Player } from "../../src/cli/replay/Policy.ts"
import { playWith, requestPoints } from "../../src/cli/replay/play.ts"
import { policies } from "../../src/cli/replay/policies.ts"
import { needsOf, recalled } from "../../src/cli/replay/Recall.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Message } from "../../src/domain/Message.ts"
import { historyOf } from "../support/history.ts"
import { remembering, under } from "./logs.ts"

const used = (content: Content): ReadonlyArray<string> => Array.from(usedBy([{ role: "assistant", content }]))
const mentions = (content: Content, identifier: string): boolean =>
  mentionsOf({ role: "user", content }).some((set) => set.has(identifier))

describe("identifiers of an answer", () => {
  it("are paths, addresses, ids, long numbers, names in quotes, camelCase and snake_case", () => {
    const text =
      'Fixed `parseLine` in ./src/cli/run.ts:120, see https://example.com/pull/171. Commit 2bcd462, task_71, 4711 of "Code Reviewer".'
    const expected = [
      "parseLine",
      "src/cli/run.ts",
      "120",
      "https://example.com/pull/171",
      "2bcd462",
      "task_71",
      "4711",
      "Code Reviewer"
    ]
    assert.sameMembers(used(text).slice(), expected)
  })

  it("are not words, short numbers, shares of one, or code in quotes", () => {
    assert.deepStrictEqual(
      used('Run the tests and/or read 12 of 80 lines; "if (a) { b }" is well-known, e.g. here.'),
      []
    )
  })

  it("count in the input of tools, not in thinking", () => {
    const input = { command: "cat src/a.ts", offset: 1200, nested: [{ file: "docs/b.md" }] }
    assert.sameMembers(used([{ type: "tool_use", id: "t", name: "Bash", input }]).slice(), [
      "src/a.ts",
      "1200",
      "docs/b.md"
    ])
    assert.deepStrictEqual(used([{ type: "thinking", thinking: "src/a.ts", signature: "s" }]), [])
  })

  it("long data is no identifier", () => {
    assert.deepStrictEqual(used(`${"a1B2".repeat(5_000)}`), [])
  })
})

describe("what a message mentions", () => {
  it("is what stands in its text, results and calls, also as a part of something longer", () => {
    assert.isTrue(mentions("open /home/me/src/cli/run.ts please", "src/cli/run.ts"))
    assert.isTrue(mentions("open /home/me/src/cli/run.ts please", "run.ts"))
    assert.isTrue(mentions("context.parseLine(x)", "parseLine"))
    assert.isTrue(mentions([{ type: "tool_result", tool_use_id: "t", content: "saved task_71" }], "task_71"))
    assert.isTrue(
      mentions([{ type: "tool_result", tool_use_id: "t", content: [{ type: "text", text: "see 4711" }] }], "4711")
    )
    assert.isFalse(mentions("the number 47112", "4711"))
    assert.isFalse(mentions("parseLines", "parseLine"))
  })
})

const say = (role: "user" | "assistant", content: Content, seq: number): StoredMessage => ({
  seq,
  role,
  content,
  tokens: 0,
  createdAt: seq
})

/** A conversation that speaks of `early` once, then of nothing for `between` messages, and is answered with `answer`. */
const conversation = (early: string, between: number, answer: string): ReadonlyArray<StoredMessage> => [
  say("user", early, 0),
  ...Array.from({ length: between }, (_, i) => say(i % 2 === 0 ? "assistant" : "user", "go on", i + 1)),
  say("assistant", answer, between + 1)
]

const neededAtEnd = (history: ReadonlyArray<StoredMessage>): ReadonlyArray<string> =>
  needsOf(history, requestPoints(history)).get(history.length - 1) ?? []

describe("what had to be remembered", () => {
  it("was last mentioned more than thirty messages before the answer that uses it", () => {
    assert.deepStrictEqual(neededAtEnd(conversation("use task_71", 28, "task_71 it is")), [])
    assert.deepStrictEqual(neededAtEnd(conversation("use task_71", 30, "task_71 it is")), ["task_71"])
    assert.deepStrictEqual(neededAtEnd(conversation("use task_71", 30, "task_72 it is")), [])
  })

  it("the last thirty messages hold nothing of it", () => {
    const history = conversation("use task_71", 30, "task_71 it is")
    const again = history.map((message) => (message.seq === 10 ? { ...message, content: "task_71!" } : message))
    assert.deepStrictEqual(neededAtEnd(again), [])
  })

  it("is held by a context that mentions it, and by no other", () => {
    const needs = new Map([[5, ["task_71", "src/a.ts"]]])
    const sending = (...messages: ReadonlyArray<Message>): Player => ({
      prompt: () => Effect.die("not asked"),
      messages: () => messages
    })
    const held = (player: Player, point = 5) => recalled(needs, point, player)
    assert.deepStrictEqual(held(sending({ role: "user", content: "task_71" })), { recallNeeded: 2, recallHeld: 1 })
    assert.deepStrictEqual(held(sending()), { recallNeeded: 2, recallHeld: 0 })
    assert.deepStrictEqual(held({ ...sending(), complete: true }), { recallNeeded: 2, recallHeld: 2 })
    assert.deepStrictEqual(held(sending(), 6), { recallNeeded: 0, recallHeld: 0 })
  })
})

const numbers = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 }))).check(
  Schema.isMinLength(40),
  Schema.isMaxLength(80)
)

describe("recall of a replay", () => {
  it.effect.prop(
    "is 1 for the whole history, also when it is looked at, and 0 for the last messages alone",
    [numbers],
    ([ns]) =>
      Effect.gen(function* () {
        const { bench, meter } = yield* makeBench(undefined, 0)
        const messages = remembering(historyOf(ns))
        const needs = needsOf(messages, requestPoints(messages))
        const transcript = { name: "t", messages, outputTokens: new Map<number, number>() }
        const totals = (policy: typeof policies.none) =>
          Effect.map(playWith(transcript, policy, bench, { ...meter, needs }), (played) => played.totals)
        const none = yield* totals(policies.none)
        const looked = yield* totals((history, b) => ({ ...policies.none(history, b), complete: false }))
        const window = yield* totals(policies.window)
        const sluice = yield* totals(policies.sluice)
        assert.isAbove(none.recallNeeded, messages.length > 120 ? 3 : -1)
        assert.strictEqual(none.recallHeld, none.recallNeeded)
        assert.deepInclude(looked, { recallNeeded: none.recallNeeded, recallHeld: none.recallNeeded })
        assert.deepInclude(window, { recallNeeded: none.recallNeeded, recallHeld: 0 })
        assert.strictEqual(sluice.recallNeeded, none.recallNeeded)
        assert.isAtMost(sluice.recallHeld, sluice.recallNeeded)
        assert.strictEqual(none.recall, none.recallNeeded === 0 ? null : 1)
        assert.strictEqual(sluice.cacheMissesByCause.moved, 0)
        assert.strictEqual(none.cacheMisses, none.cacheMissesByCause.cold)
      }).pipe(under({ MAX_CONTEXT_TOKENS: "25000" })),
    { arbitrary: { runs: 25 } }
  )
})
