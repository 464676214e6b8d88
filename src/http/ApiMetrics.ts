import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { nanoUsd } from "../domain/Money.ts"
import { Usage } from "../domain/Usage.ts"
import { Access } from "./ApiAccess.ts"
import { days, inOrder } from "./ApiDays.ts"
import { Epoch, Millis, Money, money, PercentOfLimit, Reduction, Totals, TotalsOf } from "./ApiSchemas.ts"
import { StorageUnavailable } from "./Problem.ts"

const CurrentMinute = Schema.Struct({
  used: Schema.Finite.annotate({ description: "input tokens admitted in the last 60 seconds" }),
  limit: Schema.Finite.annotate({ description: "RATE_LIMIT_TOKENS_PER_MINUTE" }),
  percent: Schema.Finite.annotate({ description: "`used` in percent of `limit`" }),
  resets: Millis,
  outputUsed: Schema.Finite.annotate({ description: "output tokens of the last 60 seconds" }),
  outputLimit: Schema.NullOr(Schema.Finite).annotate({
    description: "RATE_LIMIT_OUTPUT_TOKENS_PER_MINUTE; null when there is none"
  }),
  requestsUsed: Schema.Finite.annotate({ description: "requests admitted in the last 60 seconds" }),
  requestsLimit: Schema.NullOr(Schema.Finite).annotate({
    description: "RATE_LIMIT_REQUESTS_PER_MINUTE; null when there is none"
  }),
  inFlight: Schema.Natural.annotate({ description: "requests upstream now" }),
  maxInFlight: Schema.Finite.annotate({ description: "MAX_CONCURRENT_REQUESTS" })
})

const Queue = Schema.Struct({
  length: Schema.Natural.annotate({ description: "requests that wait for admission" }),
  oldestMillis: Schema.Finite.annotate({ description: "how long the oldest has waited, in milliseconds" }),
  expectedWaitMillis: Schema.Finite.annotate({ description: "how long a new request would wait, in milliseconds" }),
  byPriority: Schema.Record(Schema.String, Schema.Finite)
})

const ContextWindow = Schema.Struct({
  conversation: Schema.String,
  rawMessages: Schema.Natural.annotate({ description: "messages of the whole history" }),
  rawTokens: Schema.Natural.annotate({ description: "tokens of the whole history" }),
  tokens: Schema.Natural.annotate({ description: "tokens of what was sent last, by estimate" }),
  upperBound: Schema.Finite.annotate({ description: "tokens that this is certainly not above" }),
  percentOfLimit: PercentOfLimit,
  reduction: Reduction,
  segments: Schema.Natural.annotate({ description: "summaries in it" }),
  compactions: Schema.Natural.annotate({ description: "compactions until now" })
}).annotate({ identifier: "ContextWindow" })

export const TokenMetrics = Schema.Struct({
  enabled: Schema.Boolean,
  currentMinute: CurrentMinute,
  totals: Schema.Struct({
    ...Usage.fields,
    requests: Schema.Natural.annotate({ description: "governed requests" })
  }).annotate({
    description: "since the ledger began"
  }),
  raw: Schema.Natural.annotate({ description: "prompt tokens the whole histories would have cost" }),
  sent: Schema.Natural.annotate({ description: "prompt tokens actually sent" }),
  reduction: Reduction,
  contextWindows: Schema.Array(ContextWindow).annotate({ description: "of the newest conversations" }),
  queue: Queue,
  byModel: Schema.Array(TotalsOf)
}).annotate({ identifier: "TokenMetrics" })

export const CacheMetrics = Schema.Struct({
  enabled: Schema.Boolean,
  entries: Schema.Natural.annotate({ description: "answers that are kept" }),
  bytes: Schema.Finite.annotate({ description: "their memory" }),
  max: Schema.Finite.annotate({ description: "bytes" }),
  hits: Schema.Natural.annotate({ description: "look-ups that found an answer" }),
  misses: Schema.Natural.annotate({ description: "look-ups that found none" }),
  hitRate: Schema.Finite.annotate({ description: "0 to 1" }),
  evictions: Schema.Natural.annotate({ description: "answers dropped for lack of memory" }),
  expirations: Schema.Natural.annotate({ description: "answers dropped for their age" }),
  coalesced: Schema.Natural.annotate({ description: "requests that shared another's answer" }),
  ttl: Millis
}).annotate({ identifier: "CacheMetrics" })

export const CostMetrics = Schema.Struct({
  enabled: Schema.Boolean,
  day: Schema.String,
  today: Totals,
  total: Totals,
  threshold: Money,
  percent: Schema.Finite.annotate({ description: "today's cost in percent of the threshold" }),
  budget: Schema.NullOr(Money).annotate({ description: "per day; null when there is none" }),
  sharedBudget: Schema.Boolean.annotate({
    description: "with a tenant's token: a daily budget of all tenants together can refuse its requests as well"
  }),
  reserved: Money,
  paused: Schema.Boolean,
  resetsAt: Epoch,
  saved: Money,
  promptCaching: Money.annotate({
    description:
      "of the days asked for: what upstream's prompt cache saved against uncached input, less what its writes cost on top, at each model's current prices. Not part of `saved`"
  }),
  from: Schema.String,
  to: Schema.String,
  byDay: Schema.Array(TotalsOf),
  byModel: Schema.Array(TotalsOf),
  byAgent: Schema.Array(TotalsOf),
  byTenant: Schema.Array(TotalsOf),
  byConversation: Schema.Array(TotalsOf)
}).annotate({ identifier: "CostMetrics" })

const SeriesPoint = Schema.Struct({
  at: Epoch.annotate({ description: "when the ten seconds began, in milliseconds since the epoch" }),
  requests: Schema.Natural.annotate({ description: "governed requests" }),
  errors: Schema.Natural.annotate({ description: "those that failed upstream" }),
  tokens: Schema.Natural.annotate({ description: "all that were billed: prompt and output" }),
  input: Schema.Natural.annotate({ description: "uncached input tokens" }),
  output: Schema.Natural.annotate({ description: "tokens of answers" }),
  cacheRead: Schema.Natural.annotate({ description: "prompt tokens read from upstream's cache" }),
  cacheWrite: Schema.Natural.annotate({ description: "prompt tokens written to upstream's cache" }),
  raw: Schema.Natural.annotate({ description: "prompt tokens the whole histories would have cost" }),
  sent: Schema.Natural.annotate({ description: "prompt tokens actually sent" }),
  reduction: Reduction,
  hitRate: Schema.NullOr(Schema.Finite).annotate({
    description: "0 to 1: answers from the response cache or shared; null when nothing was looked up"
  }),
  cost: Money,
  saved: Money,
  compactions: Schema.Natural.annotate({ description: "contexts compacted" }),
  contextPercent: Schema.NullOr(Schema.Finite).annotate({
    description: "the largest prompt of a conversation, in percent of MAX_CONTEXT_TOKENS; null without one"
  }),
  queued: Schema.Natural.annotate({ description: "the most that waited" }),
  oldestMillis: Millis.annotate({ description: "the longest that a request had waited" }),
  inFlight: Schema.Natural.annotate({ description: "the most at once" }),
  used: Schema.Finite.annotate({ description: "the most input tokens of a minute" }),
  limit: Schema.Finite.annotate({ description: "RATE_LIMIT_TOKENS_PER_MINUTE" })
}).annotate({ identifier: "SeriesPoint" })

const examplePoint: typeof SeriesPoint.Type = {
  at: 1_795_000_000_000,
  requests: 12,
  errors: 0,
  tokens: 48_210,
  input: 310,
  output: 4_100,
  cacheRead: 40_800,
  cacheWrite: 3_000,
  raw: 132_000,
  sent: 44_110,
  reduction: 0.665_833,
  hitRate: 0.25,
  cost: money(nanoUsd(57_240_000)),
  saved: money(nanoUsd(9_100_000)),
  compactions: 1,
  contextPercent: 41.3,
  queued: 2,
  oldestMillis: 840,
  inFlight: 6,
  used: 61_000,
  limit: 400_000
}

export const SeriesMetrics = Schema.Struct({
  stepMillis: Schema.Literal(10_000).annotate({ description: "length of a step, in milliseconds" }),
  points: Schema.Array(SeriesPoint).annotate({ description: "oldest first; the last one is not over yet" })
}).annotate({ identifier: "SeriesMetrics", examples: [{ stepMillis: 10_000, points: [examplePoint] }] })

export class ApiMetrics extends HttpApiGroup.make("metrics")
  .add(
    HttpApiEndpoint.get("tokens", "/tokens", { success: TokenMetrics, error: StorageUnavailable }).annotate(
      OpenApi.Description,
      "A tenant's token sees that tenant's sums and contexts; the minute and the queue are everybody's."
    ),
    HttpApiEndpoint.get("cache", "/cache", { success: CacheMetrics }),
    HttpApiEndpoint.get("series", "/series", { success: SeriesMetrics }).annotate(
      OpenApi.Description,
      "The last hour in steps of ten seconds, as far back as this process goes. A tenant's token sees that tenant's requests."
    ),
    HttpApiEndpoint.get("costs", "/costs", {
      query: Schema.Struct(days).check(inOrder),
      success: CostMetrics,
      error: StorageUnavailable
    }).annotate(
      OpenApi.Description,
      "A tenant's token sees that tenant's sums, reservations and budget, and in `percent` its own part of the threshold."
    )
  )
  .middleware(Access)
  .prefix("/api/metrics")
  .annotate(OpenApi.Title, "Metrics") {}
