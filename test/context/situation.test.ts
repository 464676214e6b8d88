import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { decide, type Situation } from "../../src/context/CompactionPolicy.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import { Rhythm } from "../../src/context/Rhythm.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { settingsOptions } from "../../src/context/settingsOptions.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { promptTokens, type Usage, zero } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"

const shell = { model: "claude-sonnet-5-5", system: "You orchestrate. ".repeat(500) }

/** What the policy saw at each request of this history; it compacts at the last one only. */
const seen = Effect.fnUntraced(
  function* (history: ReadonlyArray<StoredMessage>) {
    const situations: Array<Situation> = []
    const context = new ConversationContext({
      conversation: "c",
      estimator: yield* TokenEstimator,
      summarizer: yield* Summarizer,
      catalog: yield* ModelCatalog,
      ...settingsOptions(yield* Settings),
      policy: (situation) => {
        situations.push(situation)
        return { ...decide(situation), compact: situations.length === history.length / 2 }
      }
    })
    let after = 0
    for (const { seq } of history.filter(({ role }) => role === "user")) {
      context.append(history.slice(context.next, seq + 1), shell.model)
      after = (yield* context.prepare(shell)).estimatedTokens
    }
    const last = situations.at(-1)
    return { situations, last: { tokens: last?.tokens ?? 0, floor: last?.floorTokens() ?? 0 }, after }
  },
  Effect.provide(Summarizer.layer),
  Effect.provide(ModelCatalog.layerDefault),
  Effect.provideService(TokenEstimator, plainEstimator()),
  Effect.provide(Settings.layerWith({}))
)

/** Tool rounds whose results are of this length, oldest first. */
const rounds = (lengths: ReadonlyArray<number>): ReadonlyArray<StoredMessage> =>
  lengths.flatMap((length, n) => [
    {
      seq: 2 * n,
      role: "user" as const,
      content:
        n === 0
          ? "Begin."
          : [{ type: "tool_result", tool_use_id: `t${n - 1}`, content: `line ${n}\n`.repeat(length / 7) }],
      tokens: 0,
      createdAt: 1_000 * n
    },
    {
      seq: 2 * n + 1,
      role: "assistant" as const,
      content: [{ type: "tool_use", id: `t${n}`, name: "Read", input: { path: `src/${n}.ts` } }],
      tokens: 0,
      createdAt: 1_000 * n + 500
    }
  ])

describe("what usage says of upstream's cache", () => {
  const usage = (cacheRead: number, cacheWrite5m: number, input = 0) => ({
    ...zero,
    input,
    cacheRead,
    cacheWrite5m
  })
  const shareAfter = (...usages: ReadonlyArray<Usage>): number => {
    const rhythm = new Rhythm()
    for (const [n, one] of usages.entries()) {
      rhythm.asks(promptTokens(one), 1_000 * n, 512)
      rhythm.settles(one)
    }
    return rhythm.readShare
  }

  it("a prompt that was too short to be kept is not missed", () => {
    assert.strictEqual(shareAfter(usage(0, 0, 300), usage(0, 0, 500), usage(0, 700), usage(700, 300)), 1)
  })
  it("one that was kept is", () => {
    assert.isBelow(shareAfter(usage(0, 700), usage(0, 1_000)), 1)
    assert.isBelow(shareAfter(usage(0, 0, 700), usage(0, 0, 1_000)), 1)
  })
})

describe("what the policy expects a compaction to leave", () => {
  it.effect("is what there is while nothing can be condensed, however wide the bounds", () =>
    Effect.gen(function* () {
      const { situations } = yield* seen(rounds([0, 70, 70, 70]))
      assert.deepStrictEqual(
        situations.map((s) => s.floorTokens()),
        situations.map((s) => s.tokens)
      )
    })
  )

  it.effect("counts what will be cut as it will be", () =>
    Effect.gen(function* () {
      const { after, last } = yield* seen(rounds([0, 30_000, 30_000, ...Array.from({ length: 12 }, () => 70)]))
      assert.isAbove(last.tokens, 2 * after)
      assert.closeTo(last.floor / after, 1, 0.1)
    })
  )

  it.effect("what was not sent before is fresh", () =>
    Effect.gen(function* () {
      const { situations } = yield* seen(rounds([0, 70, 7_000, 70]))
      const [first, , third] = situations
      assert.strictEqual(first?.freshTokens, 0)
      assert.strictEqual(third?.freshTokens, (third?.tokens ?? 0) - (situations[1]?.tokens ?? 0))
      assert.isAbove(third?.freshTokens ?? 0, 2_000)
    })
  )
})
