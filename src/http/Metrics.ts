import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { ContextManager, type ContextStats } from "../context/ContextManager.ts"
import { type CostReport, type CostState, type CostTotals, CostTracker, type DayRange } from "../costs/CostTracker.ts"
import { type NanoUsd, nanoUsd, sum } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"
import { type LimiterStats, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Monitor, type Step, stepMillis } from "../observability/Monitor.ts"
import { Settings } from "../Settings.ts"
import { Api } from "./Api.ts"
import { CurrentVisitor } from "./ApiAccess.ts"
import { money, reduction } from "./ApiSchemas.ts"
import { databaseProblem, translate } from "./toProblem.ts"

/** How many of the newest conversations /api/metrics/tokens tells the context of. */
const windows = 10

export const totals = (t: CostTotals) => {
  const sentTokens = promptTokens(t.usage)
  return {
    requests: t.requests,
    usage: t.usage,
    rawTokens: t.rawTokens,
    sentTokens,
    reduction: reduction(t.rawTokens, sentTokens),
    cost: money(t.costNanoUsd),
    saved: money(t.savedNanoUsd),
    savedBy: { cache: money(t.saved.cache), context: money(t.saved.context), routing: money(t.saved.routing) }
  }
}

const groups = (rows: CostReport["byModel"]) => rows.map((row) => ({ key: row.key, ...totals(row) }))

const currentMinute = (s: LimiterStats) => ({
  used: s.used,
  limit: s.limit,
  percent: s.percent,
  resets: s.resetsInMillis,
  outputUsed: s.outputUsed,
  outputLimit: s.outputLimit,
  requestsUsed: s.requestsUsed,
  requestsLimit: s.requestsLimit,
  inFlight: s.inFlight,
  maxInFlight: s.maxInFlight
})

const tokenMetrics = (
  enabled: boolean,
  limiter: LimiterStats,
  costs: CostState,
  report: CostReport,
  contextWindows: ReadonlyArray<ContextStats>
) => {
  const sent = promptTokens(costs.total.usage)
  return {
    enabled,
    currentMinute: currentMinute(limiter),
    totals: { ...costs.total.usage, requests: costs.total.requests },
    raw: costs.total.rawTokens,
    sent,
    reduction: reduction(costs.total.rawTokens, sent),
    contextWindows,
    queue: limiter.queue,
    byModel: groups(report.byModel)
  }
}

/** The tier of long prompts is not looked at: sums of many requests do not tell it. */
const promptCaching = (report: CostReport, catalog: ModelCatalog["Service"]): NanoUsd =>
  sum(
    ...report.byModel.map(({ key, usage }) => {
      const { prices } = catalog.get(key)
      const reads = usage.cacheRead * (prices.input - prices.cacheRead)
      const writes =
        usage.cacheWrite5m * (prices.cacheWrite5m - prices.input) +
        usage.cacheWrite1h * (prices.cacheWrite1h - prices.input)
      return nanoUsd(reads - writes)
    })
  )

const costMetrics = (state: CostState, report: CostReport, catalog: ModelCatalog["Service"]) => ({
  enabled: state.enabled,
  day: state.day,
  today: totals(state.today),
  total: totals(state.total),
  threshold: money(state.thresholdNanoUsd),
  percent: state.thresholdPercent,
  budget: state.dailyBudgetNanoUsd === null ? null : money(state.dailyBudgetNanoUsd),
  sharedBudget: state.sharedBudget,
  reserved: money(state.reservedNanoUsd),
  paused: state.paused,
  resetsAt: state.resetsAt,
  saved: money(state.total.savedNanoUsd),
  promptCaching: money(promptCaching(report, catalog)),
  from: report.from,
  to: report.to,
  byDay: groups(report.byDay),
  byModel: groups(report.byModel),
  byAgent: groups(report.byAgent),
  byTenant: groups(report.byTenant),
  byConversation: groups(report.byConversation)
})

const seriesPoint = (step: Step, maxContextTokens: number) => ({
  at: step.at,
  requests: step.requests,
  errors: step.errors,
  tokens: step.input + step.cacheRead + step.cacheWrite + step.output,
  input: step.input,
  output: step.output,
  cacheRead: step.cacheRead,
  cacheWrite: step.cacheWrite,
  raw: step.raw,
  sent: step.sent,
  reduction: reduction(step.raw, step.sent),
  hitRate: step.lookups === 0 ? null : step.hits / step.lookups,
  cost: money(step.cost),
  saved: money(step.saved),
  compactions: step.compactions,
  contextPercent: step.largestPrompt === 0 ? null : (100 * step.largestPrompt) / maxContextTokens,
  queued: step.queued,
  oldestMillis: step.oldestMillis,
  inFlight: step.inFlight,
  used: step.used,
  limit: step.limit
})

const newestWindows = Effect.fnUntraced(function* (
  chat: ChatRepo["Service"],
  context: ContextManager["Service"],
  tenant: string | undefined
) {
  const newest = yield* chat.list({ tenant, limit: windows })
  // One that cannot be read is left out: metrics are no reason to fail.
  const stats = yield* Effect.forEach(newest, ({ id }) => Effect.option(context.stats(id)), { concurrency: windows })
  return stats.flatMap(Option.toArray)
}, translate(databaseProblem))

export const layer = HttpApiBuilder.group(
  Api,
  "metrics",
  Effect.fn(function* (handlers) {
    const [settings, chat, context] = yield* Effect.all([Settings, ChatRepo, ContextManager])
    const [monitor, catalog] = yield* Effect.all([Monitor, ModelCatalog])
    const [costs, limiter, cache] = yield* Effect.all([CostTracker, TokenRateLimiter, ResponseCache])

    /** Whose figures the visitor may see; undefined: everybody's. */
    const asked = Effect.map(CurrentVisitor, ({ tenant }) => tenant ?? undefined)
    const stateOf = (tenant: string | undefined) => (tenant === undefined ? costs.state : costs.stateFor(tenant))
    const spending = Effect.fnUntraced(function* (range: DayRange) {
      const tenant = yield* asked
      return { tenant, state: yield* stateOf(tenant), report: yield* costs.report({ ...range, tenant }) }
    }, translate(databaseProblem))

    return handlers.handleAll({
      tokens: () =>
        Effect.gen(function* () {
          const { report, state, tenant } = yield* spending({})
          const contexts = yield* newestWindows(chat, context, tenant)
          return tokenMetrics(settings.tokenManagementEnabled, yield* limiter.stats, state, report, contexts)
        }),
      cache: () => Effect.map(cache.stats, ({ maxBytes: max, ttlMillis: ttl, ...stats }) => ({ ...stats, max, ttl })),
      series: () =>
        Effect.gen(function* () {
          const tenant = yield* asked
          const steps = yield* tenant === undefined ? monitor.series : monitor.seriesOf(tenant)
          return { stepMillis, points: steps.map((step) => seriesPoint(step, settings.maxContextTokens)) }
        }),
      costs: ({ query }) => Effect.map(spending(query), ({ report, state }) => costMetrics(state, report, catalog))
    })
  })
)
