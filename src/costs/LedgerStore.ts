import type { Effect } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { NanoUsd } from "../domain/Money.ts"
import type { Subject } from "./Budgets.ts"
import type { CostGroup, CostLine, CostReport, CostTotals, LedgerEntry, LedgerError, LedgerIntent } from "./Records.ts"

/** What a cost tracker starts from. */
export interface Opening {
  readonly total: CostTotals
  /** The same by tenant. */
  readonly tenants: ReadonlyArray<CostGroup>
  /** What each subject spent today. */
  readonly spent: ReadonlyArray<{ readonly subject: Subject; readonly costNanoUsd: NanoUsd }>
  /** Requests that were sent, or about to be, when the process died. */
  readonly intents: ReadonlyArray<LedgerIntent>
  /** What `saveControl` kept last. */
  readonly control: string | null
}

type Stored<A> = Effect.Effect<A, LedgerError>
export type Rows = NonEmptyReadonlyArray<LedgerEntry>

export interface LedgerStore {
  /** Writes down that a request is about to be sent. */
  readonly open: (intent: LedgerIntent) => Stored<void>
  /** The same at once and without waiting; false where it cannot. */
  readonly note: (intent: LedgerIntent) => boolean
  /** Adds a request's rows and closes its intent, in one step. False, and nothing added, when it had rows already. */
  readonly book: (rows: Rows) => Stored<boolean>
  /** `book` for many requests, in one step. Answers in their order. */
  readonly bookAll: (requests: ReadonlyArray<Rows>) => Stored<ReadonlyArray<boolean>>
  /**
   * Keeps a request's rows so that they survive the death of this process, at once and without waiting, until `book` has
   * taken them. False where it cannot: then only `book` makes them durable.
   */
  readonly keep: (rows: Rows) => boolean
  /** Closes an intent without rows: nothing was sent. */
  readonly cancel: (requestId: string) => Stored<void>
  /** Undoes `note`, at once; false when there is nothing that was noted. */
  readonly forget: (requestId: string) => boolean
  /** What a request was booked with; undefined when it was not. */
  readonly costOf: (requestId: string) => Stored<NanoUsd | undefined>
  /** One pass over the ledger. */
  readonly opening: (day: string) => Stored<Opening>
  /** Sums over the days `from` to `to`, of one tenant or all; of each kind of group the dearest `groups`, the rest as `(other)`. */
  readonly report: (from: string, to: string, groups: number, tenant?: string) => Stored<CostReport>
  /** Sums by day, model, tenant, agent and conversation together: by day, then the dearest first, at most `limit`. */
  readonly lines: (from: string, to: string, limit: number) => Stored<ReadonlyArray<CostLine>>
  /** Keeps the tracker's own small state (a pause, today's grants). */
  readonly saveControl: (control: string) => Stored<void>
}
