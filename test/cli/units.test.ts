import { assert, describe, it } from "@effect/vitest"
import { endingWith, longTokens, makeUnits, repeated, tokensOf } from "../../src/cli/replay/Units.ts"
import { blocksOf, type ContentBlock, type Message } from "../../src/domain/Message.ts"
import type { Position } from "../../src/testing/simulator/Prompt.ts"
import { PromptCache } from "../../src/testing/simulator/PromptCache.ts"
import { plainEstimator } from "../support/estimator.ts"

/** Every block weighs one token, so that tokens count blocks. */
const weigh = ({ content }: Message) => ({ tokens: blocksOf(content).length, upperBound: blocksOf(content).length })
const unitsOf = () => makeUnits({ estimator: { ...plainEstimator(), message: weigh }, model: "any" })

const end = { type: "ephemeral" }
const mark = (block: ContentBlock, ttl?: "1h"): ContentBlock => ({
  ...block,
  cache_control: ttl === undefined ? end : { ...end, ttl }
})
const text = (words: string): ContentBlock => ({ type: "text", text: words })
const call = (id: number): ContentBlock => ({ type: "tool_use", id: `t${id}`, name: "Bash", input: {} })
const result = (id: number): ContentBlock => ({ type: "tool_result", tool_use_id: `t${id}`, content: `r${id}` })
const user = (...content: ReadonlyArray<ContentBlock>): Message => ({ role: "user", content })
const assistant = (...content: ReadonlyArray<ContentBlock>): Message => ({ role: "assistant", content })
const texts = (from: number, count: number): ReadonlyArray<ContentBlock> =>
  Array.from({ length: count }, (_, index) => text(`text ${from + index}`))

const between = (before: ReadonlyArray<Message>, now: ReadonlyArray<Message>) => {
  const units = unitsOf()
  return repeated(endingWith(units(before), end), endingWith(units(now), end))
}

describe("what a prompt repeats of the one before it", () => {
  it("is everything when it only grew", () => {
    const before = [user(text("a")), assistant(call(1))]
    assert.deepStrictEqual(between(before, [...before, user(result(1))]), { shared: 2, sharedLong: 0, beyond: 2 })
  })

  it("ends at the last breakpoint of the earlier one", () => {
    const opening = user(mark(text("heavy"), "1h"), text("light"), mark(text("state")), text("hello"))
    const before = [opening, assistant(text("b"))]
    assert.deepStrictEqual(between(before, [opening, assistant(text("c"))]), { shared: 3, sharedLong: 1, beyond: 3 })
    const changed = user(mark(text("heavy"), "1h"), text("light"), mark(text("another state")))
    assert.deepStrictEqual(between(before, [changed]), { shared: 1, sharedLong: 1, beyond: 1 })
    assert.deepStrictEqual(between(before, [user(text("x"))]), { shared: 0, sharedLong: 0, beyond: 0 })
  })

  it("does not change with the places of breakpoints, nor with a text that became a block to carry one", () => {
    const before: ReadonlyArray<Message> = [user(text("a")), assistant(text("b")), { role: "user", content: "c" }]
    const now = [user(mark(text("a"))), assistant(text("b")), user(mark(text("c"))), assistant(text("d"))]
    assert.strictEqual(between(before, now).shared, 3)
  })

  it("is out of reach twenty positions behind the last breakpoint, and nineteen are not", () => {
    const before = [user(text("a"))]
    assert.strictEqual(between(before, [...before, assistant(...texts(0, 19))]).shared, 1)
    assert.deepStrictEqual(between(before, [...before, assistant(...texts(0, 20))]), {
      shared: 0,
      sharedLong: 0,
      beyond: 1
    })
  })

  it("a run of tool calls is one position, and one of results another", () => {
    const before = [user(text("a"))]
    const ids = Array.from({ length: 30 }, (_, id) => id)
    const round = [assistant(...ids.map(call)), user(...ids.map(result))]
    assert.strictEqual(between(before, [...before, ...round]).shared, 1)
    const apart = assistant(...ids.flatMap((id) => [call(id), text(`said ${id}`)]))
    assert.strictEqual(between(before, [...before, apart, user(...ids.map(result))]).shared, 0)
  })

  it("a breakpoint where the earlier prompt ended brings it within reach", () => {
    const before = [user(text("a"), text("b"))]
    const now = [user(text("a"), mark(text("b"))), assistant(...texts(0, 40)), user(text("go on"))]
    assert.strictEqual(between(before, now).shared, 2)
  })

  it("marks inside a message split it; what is kept for an hour ends at the last such mark", () => {
    const units = unitsOf()([user(mark(text("a"), "1h"), text("b"), mark(text("c"), "1h"), text("d"))])
    assert.deepStrictEqual(
      units.map(({ breakpoint, tokens }) => [breakpoint, tokens]),
      [
        ["1h", 1],
        [false, 1],
        ["1h", 1],
        [false, 1]
      ]
    )
    assert.strictEqual(longTokens(units), 3)
    assert.strictEqual(tokensOf(units), 4)
  })
})

/** A prompt of blocks out of numbers: kinds and lengths vary, and runs of calls and results come about. */
const messagesOf = (numbers: ReadonlyArray<number>): ReadonlyArray<Message> =>
  numbers.map((n, at) => {
    const kinds = [(id: number) => text(`said ${id}`), call, result]
    const blocks = Array.from({ length: 1 + (n % 5) }, (_, index) => (kinds[n % 3] ?? call)(1000 * at + index))
    const marked = n % 47 === 0 ? blocks.map((block, index) => (index === 0 ? mark(block) : block)) : blocks
    return { role: n % 2 === 0 ? "user" : "assistant", content: marked }
  })

/** The same prompt as the simulator of upstream lays it out. */
const positionsOf = (messages: ReadonlyArray<Message>): ReadonlyArray<Position> => {
  let prefix = ""
  let tokens = 0
  const blocks = messages.flatMap(({ content }, at) => blocksOf(content).map((block) => ({ at, block })))
  return blocks.map(({ at, block }, index) => {
    const { cache_control, ...rest } = block
    prefix += `|${at}:${JSON.stringify(rest)}`
    tokens += 1
    // A run does not go on in the next message.
    const run = block.type === "text" ? undefined : `${at % 2} ${block.type}`
    return { prefix, tokens, ttl: cache_control !== undefined || index === blocks.length - 1 ? "5m" : undefined, run }
  })
}

const numbersFrom = (seed: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => (37 * seed + index * (13 + (seed % 7))) % 4_999)

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

/** What upstream reads of `now` when `before` was sent just before it. */
const readBy = (before: ReadonlyArray<Message>, now: ReadonlyArray<Message>): number => {
  const cache = new PromptCache(1_000)
  const plan = (messages: ReadonlyArray<Message>) => {
    const positions = positionsOf(messages)
    return cache.plan({
      owner: "one",
      prompt: { heads: { tools: "", system: "" }, positions, tokens: positions.length },
      minCacheable: 0,
      nowMillis: 0
    })
  }
  plan(before).commit()
  return plan(now).bill.cacheRead
}

describe("against the simulator's prompt cache", () => {
  it("reads exactly what upstream would, however much is added or cut", () => {
    let lost = 0
    for (const seed of range(50)) {
      const before = messagesOf([1, ...numbersFrom(seed, seed % 13)])
      for (const added of range(32)) {
        const kept = before.slice(0, Math.max(1, before.length - (added % 3)))
        const now = [...kept, ...messagesOf(numbersFrom(seed + added, added))]
        const { beyond, shared } = between(before, now)
        assert.strictEqual(shared, readBy(before, now), `seed ${seed}, ${added} added`)
        if (shared < beyond) lost++
      }
    }
    assert.isAbove(lost, 50)
  })
})
