import { assert, describe, it } from "@effect/vitest"
import { cheapestThreshold, decide, type Situation } from "../../src/context/CompactionPolicy.ts"
import { currentRound, cutAtOrAfter, cutAtOrBefore, isCut } from "../../src/context/Rounds.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Role } from "../../src/domain/Message.ts"

/** claude-sonnet-5-5: reading costs 100 nano-dollars a token, writing 2,500. */
const calm: Situation = {
  objective: "dollars",
  tokens: 20_000,
  upperBound: 22_000,
  limit: 50_000,
  fullMessages: 40,
  maxMessages: 200,
  floorTokens: () => 10_000,
  stableTokens: 3_000,
  growthTokens: 1_000,
  requests: 40,
  idleMillis: 1_000,
  prices: { read: 100, write: 2_500 }
}

describe("when a context is compacted", () => {
  const compacts = (change: Partial<Situation>): boolean => decide({ ...calm, ...change }).compact

  it("not while the cached prefix serves", () => assert.isFalse(compacts({})))
  it("when the bound would pass the ceiling", () => assert.isTrue(compacts({ upperBound: 50_001 })))
  it("when too many messages are kept in full", () => assert.isTrue(compacts({ fullMessages: 201 })))
  it("when the cache is cold and much can be condensed", () => assert.isTrue(compacts({ idleMillis: 300_001 })))
  it("not when the cache is cold but little can be condensed", () =>
    assert.isFalse(compacts({ idleMillis: 300_001, floorTokens: () => 18_000 })))
  it("not at the first request, about which nothing is known", () =>
    assert.isFalse(compacts({ idleMillis: undefined, tokens: 45_000 })))

  it("at the size where rewriting is cheaper than reading on", () => {
    const threshold = cheapestThreshold(calm, 10_000)
    assert.closeTo(threshold, 10_000 + Math.sqrt(2 * 25 * 7_000 * 1_000), 1)
    assert.isFalse(compacts({ tokens: Math.floor(threshold) - 1 }))
    assert.isTrue(compacts({ tokens: Math.ceil(threshold) + 1 }))
  })

  it("later where reading is cheap, earlier where it is dear", () => {
    const at = (read: number) => cheapestThreshold({ ...calm, prices: { read, write: 2_500 } }, 10_000)
    assert.isAbove(at(50), at(100))
    assert.isAbove(at(100), at(200))
  })

  it("not for a conversation that is likely to end before it pays", () =>
    assert.isFalse(compacts({ tokens: 30_000, upperBound: 33_000, requests: 2 })))

  it("the cheapest size really is the cheapest, by counting", () => {
    const cost = (threshold: number): number => {
      let tokens = 10_000
      let sum = 0
      for (let i = 0; i < 20_000; i++) {
        sum += tokens * 100 + 1_000 * 2_500
        tokens += 1_000
        if (tokens > threshold) {
          tokens = 10_000
          sum += 7_000 * 2_500
        }
      }
      return sum
    }
    const best = cost(cheapestThreshold(calm, 10_000))
    for (const factor of [0.5, 0.7, 1.4, 2]) assert.isBelow(best, cost(cheapestThreshold(calm, 10_000) * factor))
  })

  it("for the objective tokens as soon as it removes much, whatever it costs", () => {
    assert.isTrue(compacts({ objective: "tokens" }))
    assert.isFalse(compacts({ objective: "tokens", floorTokens: () => 15_000 }))
  })

  it("says what it expects to save", () => {
    assert.isAbove(decide({ ...calm, tokens: 40_000 }).savesNanoUsd, 0)
    assert.isBelow(decide({ ...calm, fullMessages: 201, requests: 1 }).savesNanoUsd, 0)
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
