import { LRUCache } from "lru-cache"
import type { Event } from "../domain/Event.ts"
import { type NanoUsd, nanoUsd, zero } from "../domain/Money.ts"
import { type BudgetRule, Budgets, type Refusal, type Subject } from "./Budgets.ts"
import type { Control } from "./Control.ts"
import type { Day } from "./Days.ts"
import { Groups } from "./Groups.ts"
import type { Opening, Rows } from "./LedgerStore.ts"
import { dayBegan, levelReached, roomAgain } from "./Notices.ts"
import type { CostReport, CostTotals, LedgerEntry } from "./Records.ts"
import { TenantTotals } from "./TenantTotals.ts"
import { minus, noTotals, plus, sumOf } from "./Totals.ts"

export interface BooksOptions {
  readonly daysOf: (at: number) => Day
  readonly rules: ReadonlyArray<BudgetRule>
}

export interface Hold {
  readonly subject: Subject
  readonly estimate: NanoUsd
  /** The write of the request's intent, which may still be going on. */
  intent: { readonly abandon: () => void } | undefined
}

/** Groups of each kind that are kept apart for today's report; a day's further ones are added up. */
export const groupsADay = 10_000
/** A clock is mended by less than this, in milliseconds; what is put back further was on a wrong day. */
const putBack = 3_600_000
/** How many settled requests are remembered, so that settling one again costs nothing. */
const remembered = 10_000

/**
 * What is spent, reserved and left, in memory and O(1) per request. Every call is atomic: nothing here waits. What others
 * should hear of gathers in `events`.
 */
export class Books {
  total: CostTotals = noTotals
  today = new Groups(groupsADay)
  readonly tenants = new TenantTotals(groupsADay)
  reserved = 0
  paused: string | null = null
  readonly budgets: Budgets
  private events: Array<Event> = []
  private readonly holds = new Map<string, Hold>()
  private readonly settled = new LRUCache<string, NanoUsd>({ max: remembered })
  private readonly daysOf: (at: number) => Day
  private day: Day | undefined

  constructor(options: BooksOptions) {
    this.daysOf = options.daysOf
    this.budgets = new Budgets(options.rules)
  }

  /** Takes over what the ledger holds. Levels that today's spending had reached before are not announced again. */
  load(opening: Opening, today: CostReport, control: Control, day: Day): void {
    this.total = opening.total
    this.tenants.load(opening.tenants)
    this.today.load(today)
    for (const { subject, costNanoUsd } of opening.spent) this.budgets.charge(subject, costNanoUsd)
    this.paused = control.paused
    if (control.day === day.name) this.budgets.restoreGrants(control.grants)
  }

  /** The day of this moment. Begins it, when it is a new one; a clock that is put back a little does not begin yesterday again. */
  roll(at: number): Day {
    if (this.day !== undefined && at < this.day.start && this.day.start - at < putBack) return this.day
    const day = this.daysOf(at)
    if (this.day !== undefined && this.day.name !== day.name) {
      this.today = new Groups(groupsADay)
      this.events.push(...dayBegan(this.budgets.reset()))
    }
    this.day = day
    return day
  }

  isHeld(requestId: string): boolean {
    return this.holds.has(requestId)
  }

  /** Reserves, or says which budget has no room. */
  hold(requestId: string, subject: Subject, estimate: NanoUsd): Hold | Refusal {
    const refusal = this.budgets.reserve(subject, estimate)
    if (refusal !== undefined) return refusal
    const hold: Hold = { subject, estimate, intent: undefined }
    this.holds.set(requestId, hold)
    this.reserved += estimate
    return hold
  }

  /** Remembers the write of a held request's intent. */
  writing(requestId: string, intent: { readonly abandon: () => void }): void {
    const hold = this.holds.get(requestId)
    if (hold !== undefined) hold.intent = intent
  }

  /** Gives a reservation back; answers whether there was one. */
  release(requestId: string): boolean {
    const hold = this.holds.get(requestId)
    if (hold === undefined) return false
    this.holds.delete(requestId)
    this.reserved -= hold.estimate
    this.budgets.release(hold.subject, hold.estimate)
    hold.intent?.abandon()
    return true
  }

  /** Gives back what no upstream was asked with; answers whether there was a reservation. */
  cancel(requestId: string): boolean {
    const hold = this.holds.get(requestId)
    const released = this.release(requestId)
    if (hold !== undefined) this.ease(hold.subject)
    return released
  }

  /** After a reservation ended and its cost was added: tells of the budgets that refuse no longer. */
  ease(subject: Subject): void {
    this.announce(...this.budgets.eased(subject).map(roomAgain))
  }

  /** Nano-dollars held for one tenant's requests in flight. O(requests in flight). */
  reservedBy(tenant: string): number {
    let reserved = 0
    for (const { estimate, subject } of this.holds.values()) if (subject.tenant === tenant) reserved += estimate
    return reserved
  }

  settledCost(requestId: string): NanoUsd | undefined {
    return this.settled.get(requestId)
  }

  /** Adds a request's rows, and remembers what it cost. */
  add(rows: Rows, cost: NanoUsd): void {
    this.settled.set(rows[0].requestId, cost)
    this.total = plus(this.total, sumOf(rows))
    for (const row of rows) this.tenants.change(row, plus)
    if (rows[0].day === this.day?.name) {
      for (const row of rows) {
        this.today.add(row)
        this.charge(row)
      }
    }
  }

  /** Takes out rows that the ledger had already, and remembers what it holds for them instead. */
  takeBack(rows: Rows, cost: NanoUsd): void {
    this.total = minus(this.total, sumOf(rows))
    for (const row of rows) this.tenants.change(row, minus)
    this.settled.set(rows[0].requestId, cost)
    if (rows[0].day !== this.day?.name) return
    for (const row of rows) {
      this.today.remove(row)
      this.budgets.charge(row, -row.costNanoUsd)
    }
  }

  announce(...events: ReadonlyArray<Event>): void {
    this.events.push(...events)
  }

  takeEvents(): ReadonlyArray<Event> {
    if (this.events.length === 0) return this.events
    const events = this.events
    this.events = []
    return events
  }

  private charge(row: LedgerEntry): void {
    if (row.costNanoUsd === zero) return
    for (const notice of this.budgets.charge(row, row.costNanoUsd)) this.events.push(...levelReached(notice))
  }
}

export const isRefusal = (outcome: Hold | Refusal): outcome is Refusal => "budget" in outcome

/** What spending has reached of a limit, in percent. */
export const percentOf = (spent: NanoUsd, limit: NanoUsd): number =>
  limit > 0 ? (spent / limit) * 100 : spent > 0 ? 100 : 0

export const reservedOf = (books: Books): NanoUsd => nanoUsd(books.reserved)
