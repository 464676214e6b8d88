import { Context, type Effect, Schema } from "effect"
import type { Caller } from "../domain/Caller.ts"
import { NanoUsd } from "../domain/Money.ts"
import { Usage } from "../domain/Usage.ts"

/** A budget is used up; nothing was sent. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  budget: Schema.String,
  limit: NanoUsd,
  spent: NanoUsd,
  /** Milliseconds since the epoch. */
  resetsAt: Schema.Natural,
  message: Schema.String
}) {}

/** One ledger row: append-only, one per request id. */
export const LedgerEntry = Schema.Struct({
  requestId: Schema.String,
  at: Schema.Natural,
  day: Schema.String.annotate({ description: "YYYY-MM-DD in the configured time zone" }),
  tenant: Schema.String,
  agent: Schema.String,
  conversation: Schema.NullOr(Schema.String),
  model: Schema.String,
  usage: Usage,
  costNanoUsd: NanoUsd,
  savedNanoUsd: NanoUsd,
  /** Prompt tokens the whole history would have cost. */
  rawTokens: Schema.Natural,
  status: Schema.Literals(["settled", "partial", "unsettled", "saved"]),
  estimated: Schema.Boolean
}).annotate({ identifier: "LedgerEntry" })
export interface LedgerEntry extends Schema.Schema.Type<typeof LedgerEntry> {}

export interface CostReserve {
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
  readonly geo?: string | null | undefined
  readonly speed?: string | null | undefined
  readonly rawTokens: number
  readonly partial?: boolean | undefined
}

export interface CostTotals {
  readonly requests: number
  readonly usage: Usage
  readonly rawTokens: number
  readonly costNanoUsd: NanoUsd
  readonly savedNanoUsd: NanoUsd
}

export interface CostGroup extends CostTotals {
  readonly key: string
}

export interface DayRange {
  /** YYYY-MM-DD, inclusive. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

export interface CostReport {
  readonly from: string
  readonly to: string
  readonly total: CostTotals
  readonly byDay: ReadonlyArray<CostGroup>
  readonly byModel: ReadonlyArray<CostGroup>
  readonly byAgent: ReadonlyArray<CostGroup>
  readonly byTenant: ReadonlyArray<CostGroup>
  readonly byConversation: ReadonlyArray<CostGroup>
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
  readonly paused: boolean
  /** Milliseconds since the epoch. */
  readonly resetsAt: number
}

/** The ledger could not be read. */
export class LedgerError extends Schema.TaggedError<LedgerError>()("LedgerError", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The cost ledger could not ${this.operation}: ${this.reason}. Check the database.`
  }
}

/** Counts every nano-dollar: reserve before the call, settle once after it, refuse when a budget is used up. */
export class CostTracker extends Context.Service<
  CostTracker,
  {
    /** Takes the estimate from the budgets, writes the intent. Over budget or paused → `BudgetExceeded`, nothing was sent. */
    readonly reserve: (request: CostReserve) => Effect.Effect<void, BudgetExceeded>
    /** Books the real usage; idempotent by request id. Answers the exact cost. Never fails: a ledger that is down is retried, visibly. */
    readonly settle: (request: CostSettle) => Effect.Effect<NanoUsd>
    /** Gives the reservation back: nothing was billed. */
    readonly release: (requestId: string) => Effect.Effect<void>
    /** Records what was not spent (a cache hit): a row with no cost. */
    readonly saved: (request: CostSettle) => Effect.Effect<NanoUsd>
    readonly state: Effect.Effect<CostState>
    readonly report: (range: DayRange) => Effect.Effect<CostReport, LedgerError>
    readonly pause: (reason: string) => Effect.Effect<void>
    readonly resume: (by: string) => Effect.Effect<void>
  }
>()("sluice/costs/CostTracker") {}
