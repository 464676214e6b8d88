import { Schema } from "effect"
import type { Caller } from "../domain/Caller.ts"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { NanoUsd } from "../domain/Money.ts"
import { Usage } from "../domain/Usage.ts"

/** A budget is used up, or spending is paused; nothing was sent. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  /** "daily budget", "tenant acme", …; "pause" when an operator paused. */
  budget: Schema.String,
  limit: NanoUsd,
  spent: NanoUsd,
  /** Milliseconds since the epoch. */
  resetsAt: Schema.Natural,
  message: Schema.String
}) {}

/** The ledger could not be read or written. */
export class LedgerError extends Schema.TaggedError<LedgerError>()("LedgerError", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The cost ledger could not ${this.operation}: ${this.reason}. Check the database.`
  }
}

/** What was not spent, by what prevented it. Estimates; negative where it cost more. */
export const Saved = Schema.Struct({
  /** Answers from the cache: what upstream would have billed for them. */
  cache: NanoUsd,
  /** Tokens that compaction kept out of prompts, at the price of cache reads: at least this much. */
  context: NanoUsd,
  /** Another model than the one asked for: the difference. */
  routing: NanoUsd
}).annotate({ identifier: "Saved" })
export interface Saved extends Schema.Schema.Type<typeof Saved> {}

/** One ledger row: append-only. A request that several models worked on has a row, `part`, for each. */
export const LedgerEntry = Schema.Struct({
  requestId: Schema.String,
  part: Schema.Natural,
  at: Schema.Natural.annotate({ description: "milliseconds since the epoch" }),
  day: Schema.String.annotate({ description: "YYYY-MM-DD in the configured time zone" }),
  tenant: Schema.String,
  agent: Schema.String,
  conversation: Schema.NullOr(Schema.String),
  model: Schema.String,
  usage: Usage,
  webSearches: Schema.Natural,
  costNanoUsd: NanoUsd,
  savedNanoUsd: NanoUsd,
  saved: Saved,
  /** Prompt tokens the whole history would have cost. */
  rawTokens: Schema.Natural,
  /**
   * `settled`: as upstream billed. `partial`: completed from what was received. `unsettled`: the process died during the
   * call, booked with its reservation. `saved`: a cache hit, no usage and no cost.
   */
  status: Schema.Literals(["settled", "partial", "unsettled", "saved"]),
  /** The price or the amount is a guess: an unknown model, an unsettled request. */
  estimated: Schema.Boolean
}).annotate({ identifier: "LedgerEntry" })
export interface LedgerEntry extends Schema.Schema.Type<typeof LedgerEntry> {}

/** A request that is about to be sent. Closed by its ledger rows; open after a crash. */
export const LedgerIntent = Schema.Struct({
  requestId: Schema.String,
  /** Milliseconds since the epoch. */
  at: Schema.Natural,
  day: Schema.String,
  tenant: Schema.String,
  agent: Schema.String,
  conversation: Schema.NullOr(Schema.String),
  model: Schema.String,
  reservedNanoUsd: NanoUsd
}).annotate({ identifier: "LedgerIntent" })
export interface LedgerIntent extends Schema.Schema.Type<typeof LedgerIntent> {}

export interface CostReserve {
  /** Names one upstream call; every billed attempt has its own. */
  readonly requestId: string
  readonly caller: Caller
  readonly model: string
  /** What the request may cost at most, as estimated. */
  readonly estimate: NanoUsd
}

export interface CostSettle {
  readonly requestId: string
  readonly caller: Caller
  readonly model: string
  readonly usage: Usage
  /** Upstream's own words: iterations (compaction, fallbacks, advisors) and web searches are priced from them. */
  readonly apiUsage?: ApiUsage | undefined
  readonly geo?: string | null | undefined
  readonly speed?: string | null | undefined
  readonly rawTokens: number
  /** The usage was completed from what was received: it is priced as it is given, iterations are not looked at. */
  readonly partial?: boolean | undefined
  /** The model that was asked for, when routing chose another. */
  readonly requestedModel?: string | undefined
}

export interface CostTotals {
  readonly requests: number
  readonly usage: Usage
  readonly rawTokens: number
  readonly costNanoUsd: NanoUsd
  readonly savedNanoUsd: NanoUsd
  readonly saved: Saved
}

export interface CostGroup extends CostTotals {
  readonly key: string
}

export interface DayRange {
  /** YYYY-MM-DD, inclusive; both default to today. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

export interface ReportRange extends DayRange {
  /** Only what this tenant asked for; all tenants without. */
  readonly tenant?: string | undefined
}

export interface CostReport {
  readonly from: string
  readonly to: string
  readonly total: CostTotals
  /** In order of days. */
  readonly byDay: ReadonlyArray<CostGroup>
  /** Dearest first; the rest together as `(other)`. */
  readonly byModel: ReadonlyArray<CostGroup>
  readonly byAgent: ReadonlyArray<CostGroup>
  readonly byTenant: ReadonlyArray<CostGroup>
  /** Requests outside a conversation are `(none)`. */
  readonly byConversation: ReadonlyArray<CostGroup>
}

/** What one kind of request came to on a day: a line of the finest report. */
export interface CostLine extends CostTotals {
  readonly day: string
  readonly model: string
  readonly tenant: string
  readonly agent: string
  readonly conversation: string | null
}

export interface CostState {
  readonly enabled: boolean
  readonly day: string
  readonly today: CostTotals
  readonly total: CostTotals
  readonly reservedNanoUsd: NanoUsd
  readonly thresholdNanoUsd: NanoUsd
  readonly thresholdPercent: number
  readonly dailyBudgetNanoUsd: NanoUsd | null
  /** In one tenant's view: a daily budget of all tenants together can refuse it as well. */
  readonly sharedBudget: boolean
  readonly paused: boolean
  /** Milliseconds since the epoch. */
  readonly resetsAt: number
  /** Settlements that are not on disk yet: more than a few, or for long, means that the database is in trouble. */
  readonly unwritten: number
}
