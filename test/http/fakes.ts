import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Stream } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"
import { Tokens } from "../../src/access/Tokens.ts"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { ChatRepo, ConversationNotFound } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { ContextManager } from "../../src/context/ContextManager.ts"
import { StatelessContexts } from "../../src/context/StatelessContexts.ts"
import { type CostTotals, CostTracker } from "../../src/costs/CostTracker.ts"
import type { Conversation, StoredMessage } from "../../src/domain/Conversation.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { AlertRules } from "../../src/events/AlertRules.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor, type Settlement } from "../../src/governor/Governor.ts"
import { serve } from "../../src/http/Server.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Monitor } from "../../src/observability/Monitor.ts"
import {
  Orchestrator,
  type OrchestratorError,
  type SendOptions,
  type TurnEvent
} from "../../src/orchestrator/Orchestrator.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"

export const usage = { input: 100, cacheWrite5m: 20, cacheWrite1h: 0, cacheRead: 30, output: 10 }

export const database = (check: Database["Service"]["check"] = Effect.void) =>
  Layer.succeed(Database, { kind: "embedded", location: "/secret/place", check })

const conversation = (id: string, tenant: string): Conversation => ({
  id,
  tenant,
  title: null,
  model: null,
  messages: 5,
  createdAt: 0
})

const stored: ReadonlyArray<StoredMessage> = [0, 1, 2, 3, 4].map((seq) => ({
  seq,
  role: seq % 2 === 0 ? "user" : "assistant",
  content: `message ${seq}`,
  tokens: 3,
  createdAt: seq
}))

/** Three conversations: c1 and c2 of tenant `default`, c3 of tenant `acme`. */
export const chat = Layer.sync(ChatRepo, () => {
  const rows = [conversation("c3", "acme"), conversation("c2", "default"), conversation("c1", "default")]
  const get = (id: string) => {
    const found = rows.find((row) => row.id === id)
    return found === undefined ? Effect.fail(new ConversationNotFound({ conversation: id })) : Effect.succeed(found)
  }
  const mock: Partial<ChatRepo["Service"]> = {
    create: ({ tenant = "default" }) =>
      Effect.sync(() => {
        const created = conversation(`new-${rows.length}`, tenant)
        rows.unshift(created)
        return created
      }),
    get,
    list: ({ before, limit, tenant }) =>
      Effect.sync(() => {
        const mine = rows.filter((row) => tenant === undefined || row.tenant === tenant)
        const start = before === undefined ? 0 : mine.findIndex((row) => row.id === before) + 1
        return mine.slice(start, start + limit)
      }),
    messages: (id, { before = 5, limit }) => Effect.map(get(id), () => stored.slice(0, before).slice(-limit))
  }
  // Only what the routes call is here; anything else would be a mistake and throws.
  return mock as ChatRepo["Service"]
})

const totals: CostTotals = {
  requests: 2,
  usage,
  rawTokens: 600,
  costNanoUsd: nanoUsd(1_500_000),
  savedNanoUsd: nanoUsd(500_000),
  saved: { cache: nanoUsd(400_000), context: nanoUsd(100_000), routing: nanoUsd(0) }
}

const group = (key: string) => [{ key, ...totals }]

const costs = Layer.mock(CostTracker, {
  state: Effect.succeed({
    enabled: true,
    day: "2026-11-21",
    today: totals,
    total: totals,
    reservedNanoUsd: nanoUsd(0),
    thresholdNanoUsd: nanoUsd(10_000_000_000),
    thresholdPercent: 0.015,
    dailyBudgetNanoUsd: null,
    sharedBudget: false,
    paused: false,
    resetsAt: 86_400_000,
    unwritten: 0
  }),
  report: ({ from = "2026-11-21", to = "2026-11-21" }) =>
    Effect.succeed({
      from,
      to,
      total: totals,
      byDay: group("2026-11-21"),
      byModel: group("claude-sonnet-5-5"),
      byAgent: group("orchestrator"),
      byTenant: group("default"),
      byConversation: group("c1")
    }),
  lines: ({ from = "2026-11-21" }) =>
    Effect.succeed([
      { day: from, model: "claude-sonnet-5-5", tenant: "acme", agent: "=SUM(A1)", conversation: null, ...totals }
    ])
})

const limiter = Layer.mock(TokenRateLimiter, {
  stats: Effect.succeed({
    enabled: true,
    used: 1000,
    limit: 400_000,
    percent: 0.25,
    resetsInMillis: 30_000,
    outputUsed: 10,
    outputLimit: null,
    requestsUsed: 2,
    requestsLimit: null,
    inFlight: 1,
    maxInFlight: 8,
    queue: { length: 0, oldestMillis: 0, expectedWaitMillis: 0, byPriority: {} }
  })
})

const cache = Layer.mock(ResponseCache, {
  enabled: true,
  key: () => "key",
  clear: Effect.succeed(7),
  stats: Effect.succeed({
    enabled: true,
    entries: 7,
    bytes: 2048,
    maxBytes: 1_048_576,
    hits: 3,
    misses: 1,
    hitRate: 0.75,
    evictions: 0,
    expirations: 0,
    coalesced: 0,
    ttlMillis: 3_600_000
  })
})

const context = Layer.mock(ContextManager, {
  stats: (id) =>
    Effect.succeed({
      conversation: id,
      rawMessages: 5,
      rawTokens: 15,
      tokens: 15,
      upperBound: 20,
      percentOfLimit: 0.04,
      reduction: 0,
      segments: 0,
      compactions: 0
    }),
  pins: () => Effect.succeed([2]),
  lastSummary: () => Effect.undefined,
  preview: (_, shell) =>
    Effect.succeed({
      messages: [{ role: "user", content: `for ${shell.model}` }],
      system: undefined,
      tools: undefined,
      entries: [{ band: "recent", from: 0, to: 5, tokens: 15, segment: false }],
      estimatedTokens: 15,
      upperBound: 20,
      rawMessages: 5,
      rawTokens: 30,
      cacheControl: { type: "ephemeral" },
      longLived: false,
      betas: [],
      breakpoints: ["end"],
      compaction: undefined,
      decision: { compact: false, reason: "the cached prefix is kept", savesNanoUsd: 0 }
    })
})

export const settlement: Settlement = {
  requestId: "r1",
  model: "claude-sonnet-5-5",
  usage,
  costNanoUsd: nanoUsd(750_000),
  savedNanoUsd: nanoUsd(1_000),
  cache: "miss",
  queueMillis: 0,
  upstreamMillis: 12,
  partial: false
}

export const done: TurnEvent = {
  _tag: "Done",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-5-5",
    content: [{ type: "text", text: "Hello" }],
    stop_reason: "end_turn",
    usage: {}
  },
  settlements: [settlement, settlement],
  context: { tokens: 15, rawTokens: 30, reduction: 0.5, percentOfLimit: 0.03, segments: 0 }
}

export type Turn = Stream.Stream<TurnEvent, OrchestratorError>

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Sends JSON (or a raw body) and reads the whole answer. */
export const call = (
  method: "GET" | "POST" | "PUT" | "DELETE" | "HEAD",
  path: string,
  options: { readonly body?: unknown; readonly raw?: string; readonly headers?: Record<string, string> } = {}
): Effect.Effect<Answer, HttpClientError.HttpClientError, HttpClient.HttpClient> => {
  const empty = HttpClientRequest.make(method)(path)
  const bare = options.headers === undefined ? empty : HttpClientRequest.setHeaders(empty, options.headers)
  const json = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
  const type = options.headers?.["content-type"] ?? "application/json"
  return HttpClient.execute(json === undefined ? bare : HttpClientRequest.bodyText(bare, json, type)).pipe(
    Effect.flatMap((r) => Effect.map(r.text, (text) => ({ status: r.status, headers: r.headers, text })))
  )
}

// biome-ignore lint/suspicious/noExplicitAny: a parsed body; every test asserts on what it reads of it
export type Loose = any

export const json = (answer: Answer): Loose => JSON.parse(answer.text)

/** The events of a server-sent stream, as a browser would read them. */
export const events = (text: string): ReadonlyArray<{ readonly event: string; readonly data: Loose }> =>
  text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => {
      const [event, data] = part.split("\n")
      return { event: event?.slice("event: ".length) ?? "", data: JSON.parse(data?.slice("data: ".length) ?? "null") }
    })

/** The whole server on a free port, every service faked; `turn` is what a message answers. */
export const server = (
  options: {
    readonly turn?: Turn
    /** Hears how each turn was asked for. */
    readonly onSend?: (options: SendOptions) => void
    readonly settings?: SettingsOverrides
    readonly database?: Layer.Layer<Database>
    /** Model families that upstream fails for. */
    readonly failing?: ReadonlyArray<string>
  } = {}
) =>
  serve.pipe(
    Layer.provideMerge(NodeHttpServer.layerTest),
    Layer.provide(
      Layer.mock(Orchestrator, {
        send: (_, __, asked = {}) => {
          options.onSend?.(asked)
          return options.turn ?? Stream.make(done)
        },
        shell: (model) => ({ model })
      })
    ),
    Layer.provide([chat, context, Monitor.layer, MessageSearch.layerScan.pipe(Layer.provide(chat))]),
    Layer.provide([costs, limiter, cache, ModelCatalog.layerDefault, AlertRules.layer]),
    Layer.provideMerge(Events.layer),
    Layer.provide(options.database ?? database()),
    Layer.provide([Layer.mock(Governor, {}), StatelessContexts.layerOff]),
    Layer.provideMerge(Tokens.layerMemory),
    Layer.provide(Layer.mock(Claude, { kind: "simulator", failing: Effect.succeed(options.failing ?? []) })),
    Layer.provide(Settings.layerWith(options.settings ?? {}))
  )
