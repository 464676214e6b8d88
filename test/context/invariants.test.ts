import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decide } from "../../src/context/CompactionPolicy.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import * as Layout from "../../src/context/Layout.ts"
import type { PreparedContext, Shell } from "../../src/context/PreparedContext.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"
import { historyOf, requestPoints } from "../support/history.ts"
import { transcript, transcripts } from "../support/transcripts.ts"

const estimator = plainEstimator()

const makeSummarizer = Summarizer.pipe(
  Effect.provide(Summarizer.layer),
  Effect.provideService(TokenEstimator, estimator),
  Effect.provide(Settings.layerWith({}))
)

const limit = 12_000

const catalog = Effect.runSync(ModelCatalog.pipe(Effect.provide(ModelCatalog.layerDefault)))

const contextOf = (
  summarizer: Summarizer["Service"],
  maxTokens: number,
  layout?: Layout.Layout,
  policy: typeof decide = decide
) =>
  new ConversationContext(
    {
      conversation: "c",
      estimator,
      summarizer,
      catalog,
      objective: "dollars",
      policy,
      maxTokens,
      maxMessages: 60,
      recentMessages: 12,
      midMessages: 40,
      agentTools: new Set(["Task"]),
      segmentMessages: 8,
      summaryWords: 80
    },
    layout
  )

const legal = (prepared: PreparedContext): void => {
  const violations = validate({
    model: "claude-opus-4-6",
    max_tokens: 1,
    messages: prepared.messages,
    ...(prepared.system === undefined ? {} : { system: prepared.system }),
    ...(prepared.tools === undefined ? {} : { tools: prepared.tools }),
    ...(prepared.cacheControl === undefined ? {} : { cache_control: prepared.cacheControl })
  })
  assert.deepStrictEqual(violations, [])
}

const bytes = (prepared: PreparedContext): ReadonlyArray<string> => prepared.messages.map((m) => JSON.stringify(m))

/** Plays a history as it happened and checks invariants 1 to 4 at every request. */
const play = Effect.fnUntraced(function* (
  history: ReadonlyArray<StoredMessage>,
  maxTokens: number,
  shell: Shell,
  restartEvery = 7,
  policy: typeof decide = decide,
  nameOf: (request: number) => string | undefined = () => undefined
) {
  const summarizer = yield* makeSummarizer
  const before = JSON.stringify(history)
  let context = contextOf(summarizer, maxTokens, undefined, policy)
  let previous: ReadonlyArray<string> = []
  let compactions = 0
  for (const [request, point] of requestPoints(history).entries()) {
    context.append(history.slice(context.next, point), shell.model)
    context.recallAs = nameOf(request)
    const prepared = yield* context.prepare(shell)
    assert.isAtMost(prepared.upperBound, maxTokens)
    legal(prepared)
    const now = bytes(prepared)
    if (prepared.compaction === undefined) assert.deepStrictEqual(now.slice(0, previous.length), previous)
    else {
      compactions++
      const name = nameOf(request)
      const isNamed = now[0]?.includes(`conversation \\"${name}\\"`) === true
      assert.strictEqual(isNamed, name !== undefined && context.layout.segments.length > 0)
    }
    assert.strictEqual(prepared.rawMessages, point)
    const covered = prepared.entries.map((entry) => [entry.from, entry.to])
    assert.deepStrictEqual(
      covered.map(([from]) => from),
      [0, ...covered.map(([, to]) => to)].slice(0, covered.length)
    )
    previous = now
    if (request % restartEvery === restartEvery - 1) {
      const stored = Layout.encode(context.layout)
      const layout = Layout.decode(stored, context.layout.segments)
      assert.deepStrictEqual(layout, context.layout)
      const again = contextOf(summarizer, maxTokens, layout, policy)
      again.append(history.slice(again.retainedFrom, point), shell.model)
      assert.deepStrictEqual(bytes(again.preview(shell)), now)
      context = again
    }
  }
  assert.strictEqual(JSON.stringify(history), before)
  return compactions
})

const numbers = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 }))).check(
  Schema.isMaxLength(150)
)
const shell: Shell = {
  model: "claude-opus-4-6",
  system: "You orchestrate.",
  tools: [{ name: "Bash", description: "runs", input_schema: { type: "object" } }]
}

describe("invariants 1 to 4", () => {
  it.effect.prop(
    "hold on generated histories, at any model's prices and whatever pauses are made",
    [numbers, Schema.Literals(["claude-opus-4-6", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-fable-5-2"])],
    ([ns, model]) => {
      const pauses = [0, 30_000, 400_000, 5_000_000]
      let now = 0
      const history = historyOf(ns).map((message, i) => {
        now += pauses[(ns[i % ns.length] ?? 0) % pauses.length] ?? 0
        return { ...message, createdAt: now }
      })
      return Effect.asVoid(play(history, limit, { ...shell, model }))
    },
    { arbitrary: { runs: 150 } }
  )

  it.effect.prop(
    "hold whatever policy decides, whenever it compacts and restarts",
    [numbers, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))],
    ([ns, every]) => {
      let asked = 0
      const whim: typeof decide = (s) => {
        const compact = s.upperBound > s.limit || ++asked % every === 0
        return { compact, reason: "a whim", savesNanoUsd: 0 }
      }
      return Effect.asVoid(play(historyOf(ns), limit, shell, every + 1, whim))
    },
    { arbitrary: { runs: 80 } }
  )

  it.effect("hold for a context that names its conversation, whatever each request wishes", () =>
    Effect.gen(function* () {
      const ns = Array.from({ length: 900 }, (_, i) => (i * 7919) % 4_999)
      const name = (request: number) => (request % 3 < 2 ? `gw_${"0a".repeat(12)}` : undefined)
      const never = Number.MAX_SAFE_INTEGER
      assert.isAbove(yield* play(historyOf(ns), limit, shell, never, decide, name), 20)
    })
  )

  it.effect("hold on a long generated history that compacts many times", () =>
    Effect.gen(function* () {
      const compactions = yield* play(
        historyOf(Array.from({ length: 900 }, (_, i) => (i * 7919) % 4_999)),
        limit,
        shell,
        50
      )
      assert.isAbove(compactions, 20)
    })
  )

  it.effect("hold on every real transcript that is there", () =>
    Effect.gen(function* () {
      for (const name of transcripts()) {
        assert.isAbove(yield* play(transcript(name), 50_000, { model: "claude-opus-4-6" }, 40), 0, name)
      }
    })
  )
})
