import { Schema } from "effect"
import { NanoUsd } from "./Money.ts"
import { Usage } from "./Usage.ts"

export const AlertKind = Schema.Literals([
  "rate_limit_warning",
  "cost_threshold",
  "budget_paused",
  "cache_hit_rate_low",
  "context_trimmed_often",
  "context_overhead",
  "upstream_errors",
  "queue_age",
  "reduction_low",
  "degraded"
])
export type AlertKind = typeof AlertKind.Type

/** A condition an operator should know of. Raised once when it begins, cleared once when it ends. */
export const Alert = Schema.Struct({
  kind: AlertKind,
  severity: Schema.Literals(["info", "warning", "critical"]),
  message: Schema.String,
  subject: Schema.optionalKey(Schema.String).annotate({ description: "tenant, model or budget that it is about" })
}).annotate({ identifier: "Alert" })
export interface Alert extends Schema.Schema.Type<typeof Alert> {}

/** Where a governed request's answer came from. */
export const CacheOutcome = Schema.Literals(["hit", "miss", "coalesced", "bypass"])
export type CacheOutcome = typeof CacheOutcome.Type

/** Upstream answered this very request, so that its usage tells what became of this prompt. */
export const askedUpstream = (cache: CacheOutcome): boolean => cache === "miss" || cache === "bypass"

/**
 * Why a context was compacted: it would exceed the ceiling (`limit`) or the number of full messages (`messages`), the
 * prompt cache was cold, rewriting had become cheaper than reading on (`price`), or enough tokens fell away (`share`, with
 * the objective tokens).
 */
export const CompactionCause = Schema.Literals(["limit", "messages", "cold", "price", "share", "other"])
export type CompactionCause = typeof CompactionCause.Type

/** Everything Sluice tells the outside while it runs. Times are milliseconds. */
export const Event = Schema.TaggedUnion({
  Usage: {
    requestId: Schema.String,
    tenant: Schema.String,
    agent: Schema.String,
    conversation: Schema.NullOr(Schema.String),
    model: Schema.String,
    usage: Usage,
    rawTokens: Schema.Natural.annotate({ description: "prompt tokens the whole history would have cost" }),
    costNanoUsd: NanoUsd,
    savedNanoUsd: NanoUsd,
    cache: CacheOutcome,
    queueMillis: Schema.Natural,
    upstreamMillis: Schema.Natural,
    status: Schema.Literals(["ok", "error", "rejected", "partial"]).annotate({
      description:
        "error: upstream failed, or refused for its own reasons; rejected: it found the request itself at fault; partial: the answer broke off"
    })
  },
  AlertRaised: { alert: Alert },
  AlertCleared: { alert: Alert },
  Limiter: {
    used: Schema.Natural,
    limit: Schema.Natural,
    queued: Schema.Natural,
    inFlight: Schema.Natural,
    oldestMillis: Schema.optionalKey(Schema.Natural).annotate({ description: "how long the oldest request has waited" })
  },
  CacheCleared: { entries: Schema.Natural },
  BudgetPaused: { reason: Schema.String },
  BudgetResumed: { by: Schema.String },
  Compaction: {
    conversation: Schema.String,
    reason: Schema.String,
    cause: CompactionCause,
    savesNanoUsd: NanoUsd.annotate({
      description: "what it is expected to save over the rest of the conversation; negative: it costs"
    }),
    tokensBefore: Schema.Natural,
    tokensAfter: Schema.Natural,
    segments: Schema.Natural
  },
  PromptCacheMiss: {
    conversation: Schema.String,
    model: Schema.String,
    cause: Schema.Literals(["model", "system", "tools", "messages", "expired"]).annotate({
      description: "what changed since the previous request; expired: nothing, but upstream's cache entry was too old"
    }),
    expectedTokens: Schema.Natural,
    readTokens: Schema.Natural,
    costNanoUsd: NanoUsd.annotate({ description: "what writing cost more than reading would have" })
  }
})
export type Event = typeof Event.Type
