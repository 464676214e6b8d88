import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decide } from "../../src/context/CompactionPolicy.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import * as Layout from "../../src/context/Layout.ts"
import type { PreparedContext, Shell } from "../../src/context/PreparedContext.ts"
import * as Standing from "../../src/context/Standing.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { BlockAnswer, Summarizes } from "../../src/context/Summary.ts"
import type { Segment, StoredMessage } from "../../src/domain/Conversation.ts"
import type { ContentBlock } from "../../src/domain/Message.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"
import { historyOf, requestPoints } from "../support/history.ts"

const estimator = plainEstimator()
const catalog = Effect.runSync(ModelCatalog.pipe(Effect.provide(ModelCatalog.layerDefault)))
const makeSummarizer = Summarizer.pipe(
  Effect.provide(Summarizer.layer),
  Effect.provideService(TokenEstimator, estimator),
  Effect.provide(Settings.layerWith({}))
)

const limit = 14_000
const minute = 60_000

const small = {
  conversation: "c",
  estimator,
  catalog,
  objective: "dollars",
  maxMessages: 60,
  recentMessages: 12,
  midMessages: 40,
  agentTools: new Set(["Task"]),
  segmentMessages: 8,
  summaryWords: 80
} as const

/** What a caller may bring: marks of its own, of any lifetime, anywhere. */
const shells: ReadonlyArray<Omit<Shell, "model">> = [
  { system: "You orchestrate." },
  { system: [{ type: "text", text: "You orchestrate.", cache_control: { type: "ephemeral" } }] },
  { system: [{ type: "text", text: "You orchestrate.", cache_control: { type: "ephemeral", ttl: "5m" } }] },
  { system: [{ type: "text", text: "You orchestrate.", cache_control: { type: "ephemeral", ttl: "1h" } }] },
  { system: [{ type: "text", text: "You orchestrate.", cache_control: null }] },
  {
    system: [
      { type: "text", text: "a", cache_control: { type: "ephemeral", ttl: "1h" } },
      { type: "text", text: "b", cache_control: { type: "ephemeral" } }
    ],
    tools: [{ name: "Bash", input_schema: { type: "object" }, cache_control: { type: "ephemeral", ttl: "1h" } }]
  },
  { system: "  ", tools: [{ name: "Bash", input_schema: { type: "object" }, cache_control: { type: "ephemeral" } }] },
  { tools: [] }
]

/** A Summarizer that has a block ready, makes one, or fails, as the numbers say. */
const withBlocks = (base: Summarizes, ns: ReadonlyArray<number>): Summarizes => {
  let asked = 0
  let pending: BlockAnswer | undefined
  const blockOf = (n: number): ContentBlock => ({ type: "compaction", content: `In short ${n}.`, signature: "signed" })
  return {
    ...base,
    block: (request) =>
      Effect.sync(() => {
        const n = ns[asked++ % Math.max(1, ns.length)] ?? 0
        if (pending !== undefined && n % 3 !== 0) {
          const answer = pending
          pending = undefined
          return answer
        }
        if (n % 5 === 0) return "unavailable"
        request.messages()
        pending ??= { upTo: request.upTo, block: blockOf(asked), tokens: 10 }
        return "pending"
      })
  }
}

/** Rounds longer than upstream looks back over, the same again and again, and notes of the system's. */
const odd = (n: number, seq: number, system: boolean): ReadonlyArray<Pick<StoredMessage, "role" | "content">> => {
  if (n % 6 === 0)
    return [
      { role: "user", content: "tick" },
      { role: "assistant", content: "nothing to do" }
    ]
  if (n % 6 === 1) {
    const parts = Array.from({ length: 21 + (n % 7) }, (_, i) => ({ type: "text", text: `part ${i} of ${seq}` }))
    return [
      { role: "user", content: n % 4 === 0 ? "go" : [{ type: "text", text: "go" }] },
      { role: "assistant", content: parts }
    ]
  }
  if (n % 6 === 2 && system) {
    return [
      { role: "user", content: `do ${n}` },
      { role: "system", content: "The user is in a hurry." },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "s" },
          { type: "text", text: "so" }
        ]
      }
    ]
  }
  if (n % 6 === 3) return [{ role: "user", content: "x".repeat((n * 37) % 90_000) }]
  if (n % 6 === 4) return [{ role: "user", content: [{ type: "image", source: { data: "x".repeat(n) } }] }]
  return Array.from({ length: 12 }, (_, i) => [
    { role: "user" as const, content: "tick" },
    { role: "assistant" as const, content: i % 2 === 0 ? "nothing to do" : [{ type: "text", text: "nothing to do" }] }
  ]).flat()
}

const mixed = (ns: ReadonlyArray<number>, system: boolean): ReadonlyArray<StoredMessage> => {
  const gaps = [0, 30_000, 7 * minute, 7 * minute, 20 * minute, 3_000 * minute]
  const drafts: Array<Pick<StoredMessage, "role" | "content">> = []
  for (let at = 0; at < ns.length; at += 6) {
    drafts.push(...historyOf(ns.slice(at, at + 5)).map(({ content, role }) => ({ content, role })))
    drafts.push(...odd(ns[at + 5] ?? 0, at, system))
  }
  let now = 0
  return drafts.map(({ content, role }, seq) => {
    now += role === "user" ? (gaps[((ns[seq % ns.length] ?? 0) + seq) % gaps.length] ?? 0) : 1_000
    return { seq, role, content, tokens: 0, createdAt: now }
  })
}

const withoutMarks = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner) => (key === "cache_control" ? undefined : inner))

/** What upstream's cache sees: the blocks in order, with their roles; neighbours of one role are one. */
const seen = ({ messages }: PreparedContext): ReadonlyArray<string> =>
  messages.flatMap(({ content, role }) =>
    (typeof content === "string" ? [{ type: "text", text: content }] : content).map(
      (block) => `${role}:${JSON.stringify(withoutMarks(block))}`
    )
  )

const legal = (prepared: PreparedContext, model: string): void => {
  const { cacheControl, messages, system, tools } = prepared
  const body = {
    model,
    max_tokens: 1,
    messages,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools }),
    ...(cacheControl === undefined ? {} : { cache_control: cacheControl })
  }
  assert.deepStrictEqual(validate(body, { betas: prepared.betas }), [])
  const marks = JSON.stringify(body).match(/"cache_control":\{/g)?.length ?? 0
  assert.strictEqual(prepared.breakpoints.length, marks, "the breakpoints that are told are those that are set")
}

/** Layouts as the previous version stored them. */
const older = (stored: string): string => {
  const { longTail: _, upstream: __, ...rest } = JSON.parse(stored)
  const without = ({ files: _f, ...standing }: Record<string, unknown>) => standing
  return JSON.stringify({ ...rest, standing: without(rest.standing), upcoming: without(rest.upcoming) })
}

interface Play {
  readonly ns: ReadonlyArray<number>
  readonly whimsical: boolean
  readonly blocks: boolean
  readonly start: number
}

const models = ["claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"]

const play = Effect.fnUntraced(function* ({ blocks, ns, start, whimsical }: Play) {
  const base = yield* makeSummarizer
  const summarizer = Summarizer.of(blocks ? withBlocks(base, ns) : base)
  let asked = 0
  const policy: typeof decide = (s) => {
    if (!whimsical) return decide(s)
    const compact = s.upperBound > s.limit || (ns[++asked % ns.length] ?? 0) % 7 === 0
    return { compact, reason: "a whim", savesNanoUsd: 0 }
  }
  const make = (layout?: Layout.Layout) =>
    new ConversationContext({ ...small, summarizer, policy, maxTokens: limit }, layout)
  const history = mixed(ns, true)
  const saved = new Map<string, Segment>()
  let context = make()
  let previous: ReadonlyArray<string> = []
  let model = models[0] ?? ""
  const shell = shells[start % shells.length] ?? {}
  for (const [request, point] of requestPoints(history).entries()) {
    const n = (ns[request % ns.length] ?? 0) + request
    if (n % 31 === 0) model = models[n % models.length] ?? model
    context.append(history.slice(context.next, point), model)
    if (n % 17 === 0 && point > 3) {
      const message = history[n % point]
      if (message !== undefined) context.restate((standing) => Standing.pin(standing, message))
    }
    if (n % 19 === 0) context.restate((standing) => Standing.unpin(standing, standing.pinned[0]?.seq ?? 0))
    const repaired = n % 23 === 0 && context.repair()
    const outcome = yield* Effect.result(context.prepare({ model, ...shell }))
    if (outcome._tag === "Failure") {
      previous = []
      continue
    }
    const prepared = outcome.success
    assert.isAtMost(prepared.upperBound, limit)
    legal(prepared, model)
    const now = seen(prepared)
    if (prepared.compaction === undefined && !repaired)
      assert.deepStrictEqual(now.slice(0, previous.length), previous, `request ${request}`)
    const covered = prepared.entries.map(({ from, to }) => [from, to])
    assert.deepStrictEqual(
      covered.map(([from]) => from),
      [0, ...covered.map(([, to]) => to)].slice(0, covered.length)
    )
    previous = now
    for (const segment of context.layout.segments) if (!saved.has(segment.hash)) saved.set(segment.hash, segment)
    if (n % 5 === 0) {
      const { longTail, standing, upcoming, upstream } = context.layout
      const encoded = Layout.encode(context.layout)
      const isOld = n % 2 === 0 && !longTail && upstream === null && standing.files.length + upcoming.files.length === 0
      const layout = Layout.decode(isOld ? older(encoded) : encoded, Array.from(saved.values()))
      assert.deepStrictEqual(layout, context.layout)
      context = make(layout)
      context.append(history.slice(context.retainedFrom, point), model)
      assert.deepStrictEqual(seen(context.preview({ model, ...shell })), now)
    }
  }
})

const numbers = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 }))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(150)
)

describe("invariants 2 to 4, whatever comes together", () => {
  it.effect.prop(
    "marks of the caller's, pins, repairs, blocks, other models, pauses, repetition and restarts",
    [numbers, Schema.Boolean, Schema.Boolean, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 }))],
    ([ns, whimsical, blocks, start]) => play({ ns, whimsical, blocks, start }),
    { arbitrary: { runs: 150 } }
  )

  it.effect("on long histories, with each of the callers", () =>
    Effect.gen(function* () {
      for (const start of shells.keys()) {
        for (const [whimsical, blocks] of [
          [false, false],
          [true, false],
          [true, true]
        ] as const) {
          const ns = Array.from({ length: 60 }, (_, i) => (i * 7919 + start * 613) % 4_999)
          yield* play({ ns, whimsical, blocks, start })
        }
      }
    })
  )

  it.effect("in a small window that pins alone would fill", () =>
    Effect.gen(function* () {
      const summarizer = yield* makeSummarizer
      const history = Array.from({ length: 61 }, (_, seq): StoredMessage => {
        const content = `${seq} ${"always never words ".repeat(seq < 20 ? 120 : 10)}`
        return { seq, role: seq % 2 === 0 ? "user" : "assistant", content, tokens: 0, createdAt: seq * 1_000 }
      })
      for (const maxTokens of [3_000, 6_000, 9_000]) {
        const context = new ConversationContext({ ...small, summarizer, policy: decide, maxTokens })
        context.append(history, "claude-sonnet-5-5")
        for (const message of history.slice(0, 10)) context.restate((standing) => Standing.pin(standing, message))
        const prepared = yield* context.prepare({ model: "claude-sonnet-5-5" })
        assert.isAtMost(prepared.upperBound, maxTokens)
        assert.strictEqual(context.layout.upcoming.pinned.length, 10)
      }
    })
  )
})
