import { Effect, Layer } from "effect"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import type { TrackerOptions } from "../../src/costs/Desk.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import type { LedgerStore } from "../../src/costs/LedgerStore.ts"
import { LedgerError } from "../../src/costs/Records.ts"
import { fromUsd, type NanoUsd } from "../../src/domain/Money.ts"
import { zero as noUsage } from "../../src/domain/Usage.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

export const model = "claude-sonnet-5-5"

/** Output tokens that cost this many dollars at the model's price. */
export const outputFor = (usd: number): number => Math.round((usd * 1e9) / 10_000)

export const caller = (fields: { tenant?: string; agent?: string; conversation?: string } = {}) => ({
  tenant: "default",
  agent: "orchestrator",
  priority: "normal" as const,
  ...fields
})

export const reserving = (requestId: string, usd: number, who = caller()) => ({
  requestId,
  caller: who,
  model,
  estimate: fromUsd(usd)
})

export const settling = (requestId: string, usd: number, who = caller()) => ({
  requestId,
  caller: who,
  model,
  usage: { ...noUsage, output: outputFor(usd) },
  rawTokens: 0
})

export const options: TrackerOptions = {
  timeZone: "UTC",
  threshold: fromUsd(10),
  dailyBudget: null,
  budgets: [],
  enforced: true
}

/** Runs `use` in a process of its own over a given ledger: built before, closed after. */
export const inProcess = <A, E, R>(ledger: LedgerStore, given: Partial<TrackerOptions>, use: Effect.Effect<A, E, R>) =>
  use.pipe(
    Effect.provide(
      CostTracker.layerWith({ ...options, ...given }).pipe(
        Layer.provideMerge([Events.layerTest, Layer.succeed(Ledger, ledger), ModelCatalog.layerDefault])
      )
    )
  )

/** A tracker with a fresh ledger in memory, and what it published. */
export const tracker = (given: Partial<TrackerOptions> = {}) =>
  Effect.provide(
    CostTracker.layerWith({ ...options, ...given }).pipe(
      Layer.provideMerge([Events.layerTest, Ledger.layerMemory, ModelCatalog.layerDefault])
    )
  )

/** What was published about money, in short. */
export const news = Effect.gen(function* () {
  const events = yield* Events
  return (yield* events.recent).map(({ event }) => {
    switch (event._tag) {
      case "AlertRaised":
      case "AlertCleared":
        return `${event._tag} ${event.alert.kind} ${event.alert.subject}`
      case "BudgetPaused":
        return event._tag
      case "BudgetResumed":
        return `${event._tag} ${event.by}`
      default:
        return event._tag
    }
  })
})

/** A ledger that can be cut off and mended. */
export const breakable = (inner: LedgerStore) => {
  const state = { broken: false, attempts: 0 }
  const guard = <A>(effect: Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
    Effect.suspend(() => {
      state.attempts++
      return state.broken ? Effect.fail(new LedgerError({ operation: "be reached", reason: "cut off" })) : effect
    })
  const store: LedgerStore = {
    open: (intent) => guard(inner.open(intent)),
    note: inner.note,
    forget: inner.forget,
    book: (rows) => guard(inner.book(rows)),
    bookAll: (requests) => guard(inner.bookAll(requests)),
    keep: inner.keep,
    cancel: (id) => guard(inner.cancel(id)),
    costOf: (id) => guard(inner.costOf(id)),
    opening: (day) => guard(inner.opening(day)),
    report: (from, to, groups, tenant) => guard(inner.report(from, to, groups, tenant)),
    lines: (from, to, limit) => guard(inner.lines(from, to, limit)),
    saveControl: (control) => guard(inner.saveControl(control))
  }
  return { state, store }
}

export const spentToday: Effect.Effect<NanoUsd, never, CostTracker> = Effect.flatMap(CostTracker, ({ state }) =>
  Effect.map(state, ({ today }) => today.costNanoUsd)
)
