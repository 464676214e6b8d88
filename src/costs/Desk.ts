import type { Effect } from "effect"
import type { NanoUsd } from "../domain/Money.ts"
import type { Books } from "./Books.ts"
import type { BudgetRule } from "./Budgets.ts"
import type { Moment, makeEntries } from "./Entries.ts"
import type { LedgerStore } from "./LedgerStore.ts"
import type { Shelf } from "./Shelf.ts"
import type { Writer } from "./Writer.ts"

export interface TrackerOptions {
  readonly timeZone: string
  /** Alerts at 50, 80, 90 and 100 percent of it, a day. Refuses nothing. */
  readonly threshold: NanoUsd
  readonly dailyBudget: NanoUsd | null
  /** Further budgets a day, by tenant, agent, conversation or model. */
  readonly budgets: ReadonlyArray<BudgetRule>
  /** False: budgets and pauses refuse nothing, only the metering goes on. */
  readonly enforced: boolean
}

/** What the tracker's parts work with. */
export interface Desk {
  readonly options: TrackerOptions
  readonly ledger: LedgerStore
  readonly books: Books
  readonly writer: Writer
  readonly shelf: Shelf
  readonly entries: ReturnType<typeof makeEntries>
  /** The time, and its day, which begins by asking. */
  readonly now: Effect.Effect<Moment>
  /** Publishes what the books have to tell. */
  readonly tell: Effect.Effect<void>
}

/** Entries that may be on their way to the ledger while nobody waits for them. */
export const backlog = 2000
/** Entries that may wait for a ledger in trouble before requests are refused. */
export const maxUnwritten = 10_000
