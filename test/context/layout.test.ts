import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Layout from "../../src/context/Layout.ts"
import { Rhythm } from "../../src/context/Rhythm.ts"
import { make } from "../../src/context/Segments.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { Segment, StoredMessage } from "../../src/domain/Conversation.ts"
import { Settings } from "../../src/Settings.ts"
import { layerPlainEstimator } from "../support/estimator.ts"

const ticks = (from: number): ReadonlyArray<StoredMessage> =>
  ["tick", "nothing to do"].map((content, i) => ({
    seq: from + i,
    role: i === 0 ? "user" : "assistant",
    content,
    tokens: 0,
    createdAt: 0
  }))

const segmentOf = (messages: ReadonlyArray<StoredMessage>): Effect.Effect<Segment, never, Summarizer> =>
  Effect.flatMap(Summarizer, (summarizer) =>
    make(
      { conversation: "c", model: "m", summarizer, maxTokens: { heavy: 100, light: 400 }, fullRun: 2 },
      "light",
      messages
    )
  )

const extractive = Effect.provide(Summarizer.layer)

describe("a layout", () => {
  it.effect("tells a run from a later one of the same words, also after it was stored", () =>
    Effect.gen(function* () {
      const segments = [yield* segmentOf(ticks(0)), yield* segmentOf(ticks(2))]
      const layout = { ...Layout.empty, boundary: 4, segments }
      assert.deepStrictEqual(Layout.decode(Layout.encode(layout), segments), layout)
    }).pipe(extractive, Effect.provide([layerPlainEstimator, Settings.layerWith({})]))
  )

  it.effect("is not taken up again where its segments leave messages out", () =>
    Effect.gen(function* () {
      const segment = yield* segmentOf(ticks(0))
      const stored = Layout.encode({ ...Layout.empty, boundary: 4, segments: [segment, segment] })
      assert.isUndefined(Layout.decode(stored, [segment]))
    }).pipe(extractive, Effect.provide([layerPlainEstimator, Settings.layerWith({})]))
  )

  it("of a fork keeps what lies in the shared messages, and cuts none of its own", () => {
    const shrunk = new Map([
      [5, 2_000],
      [9, 400]
    ] as const)
    const layout = { ...Layout.empty, boundary: 4, thinkingFrom: 12, shrunk }
    const fork = Layout.forFork(layout, 8)
    assert.strictEqual(fork.boundary, 4)
    assert.strictEqual(fork.thinkingFrom, 8)
    assert.deepStrictEqual(Array.from(fork.shrunk), [[5, 2_000]])
    assert.deepStrictEqual(Layout.forFork(layout, 3), { ...Layout.empty, thinkingFrom: 3 })
  })

  it.effect("has texts that any database takes", () =>
    Effect.gen(function* () {
      const odd = ticks(0).map((message) => ({ ...message, content: "half a pair \ud83d and \u0000 nothing" }))
      const { text } = yield* segmentOf(odd)
      assert.isTrue(text.isWellFormed())
      assert.notInclude(text, "\u0000")
    }).pipe(extractive, Effect.provide([layerPlainEstimator, Settings.layerWith({})]))
  )
})

describe("the rhythm of a conversation that is taken up again", () => {
  it("is learned anew: the whole prompt is not what a request adds, and pauses count at once", () => {
    const rhythm = new Rhythm()
    rhythm.resumes(500, 0)
    for (let n = 1; n <= 8; n++) {
      rhythm.asks(50_000 + 100 * n, n * 600_000, 512)
      rhythm.sends(50_000 + 100 * n)
    }
    assert.strictEqual(rhythm.requests, 508)
    assert.closeTo(rhythm.growth, 100, 20)
    assert.isAbove(rhythm.pauseShare, 0.9)
  })
})
