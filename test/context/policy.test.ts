import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { decide, excessOf, type Situation } from "../../src/context/CompactionPolicy.ts"
import { Outlook } from "../../src/context/Outlook.ts"
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
  freshTokens: 0,
  expectedRequests: 40,
  coldShare: 0,
  idleMillis: 1_000,
  lifetimeMillis: 300_000,
  prices: { read: 100, write: 2_500 },
  excessNanoUsd: 0,
  extraNanoUsd: 0
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

  it("when reading on has cost as much as a compaction: 7,000 tokens to write at 2,500 nano-dollars", () => {
    const paid = (excessNanoUsd: number) => compacts({ excessNanoUsd: excessNanoUsd - excessOf(calm) })
    assert.isFalse(paid(7_000 * 2_500))
    assert.isTrue(paid(7_000 * 2_500 + 1))
  })

  it("sooner where some of that has not been sent before and is written in any case", () =>
    assert.isTrue(compacts({ excessNanoUsd: 6_000 * 2_500 + 1 - excessOf(calm), freshTokens: 1_000 })))

  it("later when summaries or thinking have to be paid for, too", () =>
    assert.isFalse(compacts({ excessNanoUsd: 7_000 * 2_500, extraNanoUsd: 1_100_000 })))

  it("not for a conversation that is likely to end before it pays", () =>
    assert.isFalse(compacts({ excessNanoUsd: 1e9, expectedRequests: 2 })))

  /** Plays a growth a request, by this rule or at a fixed size, and adds up nano-dollars for input. */
  const cost = (growth: (i: number) => number, at: (tokens: number, excess: number) => boolean): number => {
    let tokens = 10_000
    let sum = 0
    let excessNanoUsd = 0
    for (let i = 0; i < 4_000; i++) {
      sum += tokens * 100 + growth(i) * 2_500
      tokens += growth(i)
      if (at(tokens, excessNanoUsd)) {
        tokens = 10_000
        sum += 7_000 * 2_500
        excessNanoUsd = 0
      } else excessNanoUsd += excessOf({ ...calm, tokens })
    }
    return sum
  }
  const byRule = (tokens: number, excessNanoUsd: number) =>
    decide({ ...calm, limit: 1e9, tokens, upperBound: tokens, excessNanoUsd }).compact

  it("so that under steady growth it finds the cheapest fixed size", () => {
    const steady = () => 1_000
    const sizes = Array.from({ length: 60 }, (_, i) => 12_000 + i * 1_000)
    const best = Math.min(...sizes.map((size) => cost(steady, (tokens) => tokens > size)))
    assert.isAtMost(cost(steady, byRule) / best, 1.01)
  })

  it.prop(
    "and under any growth costs little more than the best fixed size chosen afterwards",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20_000 }))).check(Schema.isMinLength(3))],
    ([growths]) => {
      const growth = (i: number) => (growths[i % growths.length] ?? 0) / 4
      const sizes = Array.from({ length: 30 }, (_, i) => 12_000 + i * 3_000)
      const best = Math.min(...sizes.map((size) => cost(growth, (tokens) => tokens > size)))
      assert.isAtMost(cost(growth, byRule) / best, 1.1)
    },
    { arbitrary: { runs: 30 } }
  )

  it("for the objective tokens as soon as it removes much, whatever it costs", () => {
    assert.isTrue(compacts({ objective: "tokens" }))
    assert.isFalse(compacts({ objective: "tokens", floorTokens: () => 15_000 }))
  })

  it("says what it expects to save", () => {
    assert.isAbove(decide({ ...calm, tokens: 40_000, excessNanoUsd: 1e8 }).savesNanoUsd, 0)
    assert.isBelow(decide({ ...calm, fullMessages: 201, expectedRequests: 1 }).savesNanoUsd, 0)
  })

  it("counts what is written in any case, and the requests to come for which all is written anew", () => {
    const warm = decide({ ...calm, freshTokens: 1_000, coldShare: 0.1 })
    const kept = 19_000 * 100 + 1_000 * 2_500
    const compacted = 3_000 * 100 + 7_000 * 2_500
    const later = 39 * 10_000 * (0.9 * 100 + 0.1 * 2_500)
    assert.strictEqual(warm.savesNanoUsd, kept - compacted + later)
    const cold = decide({ ...calm, freshTokens: 1_000, coldShare: 0.1, idleMillis: 300_001, extraNanoUsd: 7 })
    assert.strictEqual(cold.savesNanoUsd, 10_000 * 2_500 - 7 + later)
  })
})

describe("how long a conversation is expected to go on", () => {
  it("as long again as it has, until experience says otherwise", () => {
    const outlook = new Outlook()
    for (const n of [1, 10, 1_000, 1e9]) assert.strictEqual(outlook.expected(n), n)
  })
  it("also when it is the first there is: it has not ended", () => {
    const outlook = new Outlook()
    for (let n = 1; n <= 1_000; n++) {
      outlook.sees(n, false)
      assert.strictEqual(outlook.expected(n), n)
    }
  })
  it("less when most end, more when most go on", () => {
    const short = new Outlook()
    const long = new Outlook()
    for (let i = 0; i < 100; i++) {
      short.sees(8, false)
      for (const n of [8, 16, 32]) long.sees(n, false)
    }
    assert.isBelow(short.expected(10), 3)
    assert.isAbove(long.expected(10), 50)
  })
  it("with as many pauses as there have been", () => {
    const outlook = new Outlook()
    assert.strictEqual(outlook.coldShare, 0.02)
    for (let n = 1; n <= 10_000; n++) outlook.sees(n, n % 10 === 0)
    assert.closeTo(outlook.coldShare, 0.1, 0.001)
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
