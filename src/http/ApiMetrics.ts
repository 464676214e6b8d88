import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Usage } from "../domain/Usage.ts"
import { Access } from "./ApiAccess.ts"
import { Epoch, Millis, Money, Reduction, Totals, TotalsOf } from "./ApiSchemas.ts"
import { StorageUnavailable } from "./Problem.ts"

const CurrentMinute = Schema.Struct({
  used: Schema.Finite.annotate({ description: "input tokens admitted in the last 60 seconds" }),
  limit: Schema.Finite,
  percent: Schema.Finite,
  resets: Millis,
  outputUsed: Schema.Finite,
  outputLimit: Schema.NullOr(Schema.Finite),
  requestsUsed: Schema.Finite,
  requestsLimit: Schema.NullOr(Schema.Finite),
  inFlight: Schema.Natural,
  maxInFlight: Schema.Finite
})

const Queue = Schema.Struct({
  length: Schema.Natural,
  oldestMillis: Schema.Finite,
  expectedWaitMillis: Schema.Finite,
  byPriority: Schema.Record(Schema.String, Schema.Finite)
})

const ContextWindow = Schema.Struct({
  conversation: Schema.String,
  rawMessages: Schema.Natural,
  rawTokens: Schema.Natural,
  tokens: Schema.Natural,
  upperBound: Schema.Finite,
  percentOfLimit: Schema.Finite,
  reduction: Reduction,
  segments: Schema.Natural,
  compactions: Schema.Natural
}).annotate({ identifier: "ContextWindow" })

export const TokenMetrics = Schema.Struct({
  enabled: Schema.Boolean,
  currentMinute: CurrentMinute,
  totals: Schema.Struct({ ...Usage.fields, requests: Schema.Natural }).annotate({
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
  entries: Schema.Natural,
  bytes: Schema.Finite,
  max: Schema.Finite.annotate({ description: "bytes" }),
  hits: Schema.Natural,
  misses: Schema.Natural,
  hitRate: Schema.Finite.annotate({ description: "0 to 1" }),
  evictions: Schema.Natural,
  expirations: Schema.Natural,
  coalesced: Schema.Natural,
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
  reserved: Money,
  paused: Schema.Boolean,
  resetsAt: Epoch,
  saved: Money,
  from: Schema.String,
  to: Schema.String,
  byDay: Schema.Array(TotalsOf),
  byModel: Schema.Array(TotalsOf),
  byAgent: Schema.Array(TotalsOf),
  byTenant: Schema.Array(TotalsOf),
  byConversation: Schema.Array(TotalsOf)
}).annotate({ identifier: "CostMetrics" })

const realDay = Schema.makeFilter<string>((day) => !Number.isNaN(Date.parse(`${day}T00:00:00Z`)), {
  expected: "a day of the calendar, as YYYY-MM-DD"
})

const Day = Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/), realDay).annotate({
  description: "YYYY-MM-DD, inclusive"
})

export class ApiMetrics extends HttpApiGroup.make("metrics")
  .add(
    HttpApiEndpoint.get("tokens", "/tokens", { success: TokenMetrics, error: StorageUnavailable }),
    HttpApiEndpoint.get("cache", "/cache", { success: CacheMetrics }),
    HttpApiEndpoint.get("costs", "/costs", {
      query: { from: Schema.optionalKey(Day), to: Schema.optionalKey(Day) },
      success: CostMetrics,
      error: StorageUnavailable
    })
  )
  .middleware(Access)
  .prefix("/api/metrics")
  .annotate(OpenApi.Title, "Metrics") {}
