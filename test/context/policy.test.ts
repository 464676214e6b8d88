import { assert, describe, it } from "@effect/vitest"
import { decide, type Situation } from "../../src/context/CompactionPolicy.ts"
import { currentRound, cutAtOrAfter, cutAtOrBefore, isCut } from "../../src/context/Rounds.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Role } from "../../src/domain/Message.ts"

const calm: Situation = {
  tokens: 20_000,
  upperBound: 22_000,
  limit: 50_000,
  fullMessages: 40,
  maxMessages: 200,
  floorTokens: () => 10_000,
  idleMillis: 1_000
}

describe("when a context is compacted", () => {
  it("not while the cached prefix serves", () => assert.isFalse(decide(calm).compact))
  it("when the bound would pass the ceiling", () => assert.isTrue(decide({ ...calm, upperBound: 50_001 }).compact))
  it("when too many messages are kept in full", () => assert.isTrue(decide({ ...calm, fullMessages: 201 }).compact))
  it("when the cache is cold and much can be condensed", () =>
    assert.isTrue(decide({ ...calm, idleMillis: 300_001 }).compact))
  it("not when the cache is cold but little can be condensed", () =>
    assert.isFalse(decide({ ...calm, idleMillis: 300_001, floorTokens: () => 15_000 }).compact))
  it("not at the first request, about which nothing is known", () =>
    assert.isFalse(decide({ ...calm, idleMillis: undefined }).compact))
  it("does not look at the floor while the cache is warm", () => {
    decide({
      ...calm,
      floorTokens: () => {
        throw new Error("looked")
      }
    })
  })
})

const stored = (...messages: ReadonlyArray<readonly [Role, Content]>): ReadonlyArray<StoredMessage> =>
  messages.map(([role, content], seq) => ({ seq, role, content, tokens: 0, createdAt: 0 }))
const use = (id: string) => [{ type: "tool_use", id, name: "Bash", input: {} }]
const result = (id: string) => [{ type: "tool_result", tool_use_id: id, content: "ok" }]

describe("where a context may be cut", () => {
  const history = stored(
    ["user", "a"],
    ["assistant", use("1")],
    ["user", result("1")],
    ["assistant", use("2")],
    ["user", result("2")],
    ["user", "queued"],
    ["assistant", "done"],
    ["user", "b"]
  )
  it("at turns and between tool rounds, never inside one", () => {
    assert.deepStrictEqual(
      history.map((_, i) => isCut(history, i)),
      [true, true, false, true, false, true, true, true]
    )
  })
  it("finds the nearest legal place", () => {
    assert.strictEqual(cutAtOrAfter(history, 2), 3)
    assert.strictEqual(cutAtOrBefore(history, 4, 0), 3)
  })
  it("keeps the current round whole", () => {
    assert.strictEqual(currentRound(history.slice(0, 5)), 3)
    assert.strictEqual(currentRound(history), 7)
  })
})
