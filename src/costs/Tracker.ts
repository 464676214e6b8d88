import { Clock, Effect } from "effect"
import { Events } from "../events/Events.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { makeBooking } from "./Booking.ts"
import { Books, groupsADay, percentOf, reservedOf } from "./Books.ts"
import type { BudgetRule } from "./Budgets.ts"
import { decodeControl } from "./Control.ts"
import { makeDays } from "./Days.ts"
import type { Desk, TrackerOptions } from "./Desk.ts"
import { clean, costOf, type Moment, makeEntries, unsettled } from "./Entries.ts"
import { Ledger } from "./Ledger.ts"
import type { LedgerStore, Rows } from "./LedgerStore.ts"
import { recovered } from "./Notices.ts"
import { makePausing } from "./Pausing.ts"
import type { CostState, DayRange, LedgerIntent, ReportRange } from "./Records.ts"
import { makeReserving } from "./Reserving.ts"
import { makeShelf } from "./Shelf.ts"
import { stateFor } from "./TenantView.ts"
import { makeWriter } from "./Writer.ts"

/** Groups of each kind in a report; the rest is added up. */
const reportGroups = 100
const reportLines = 10_000

const rulesOf = ({ budgets, dailyBudget, enforced, threshold }: TrackerOptions): ReadonlyArray<BudgetRule> => [
  { scope: "all", limit: threshold, soft: true },
  ...(enforced && dailyBudget !== null ? [{ scope: "all" as const, limit: dailyBudget }] : []),
  ...(enforced ? budgets : [])
]

/** What a dead process left open is booked with its reservation. */
const recover = Effect.fnUntraced(function* (intents: ReadonlyArray<LedgerIntent>, ledger: LedgerStore, books: Books) {
  const booked = yield* Effect.forEach(
    intents,
    (intent) => {
      const rows: Rows = [unsettled(intent)]
      return Effect.map(ledger.book(rows), (isNew) => {
        if (isNew) books.add(rows, costOf(rows))
        return isNew ? [intent.reservedNanoUsd] : []
      })
    },
    { concurrency: 100 }
  )
  if (booked.flat().length > 0) yield* Effect.logWarning(recovered(booked.flat()))
})

/** Books that begin where the ledger ends. */
const openBooks = Effect.fnUntraced(function* (options: TrackerOptions, ledger: LedgerStore) {
  const books = new Books({ daysOf: makeDays(options.timeZone), rules: rulesOf(options) })
  const day = books.roll(yield* Clock.currentTimeMillis)
  const opening = yield* ledger.opening(day.name)
  const today = yield* ledger.report(day.name, day.name, groupsADay)
  books.load(opening, today, decodeControl(opening.control), day)
  yield* recover(opening.intents, ledger, books)
  return books
})

const stateOf = ({ books, now, options, shelf, tell, writer }: Desk): Effect.Effect<CostState> =>
  Effect.map(now, ({ day }) => {
    const today = books.today.total
    return {
      enabled: true,
      day: day.name,
      today,
      total: books.total,
      reservedNanoUsd: reservedOf(books),
      thresholdNanoUsd: options.threshold,
      thresholdPercent: percentOf(today.costNanoUsd, options.threshold),
      dailyBudgetNanoUsd: options.dailyBudget,
      sharedBudget: false,
      paused: options.enforced && (books.paused !== null || books.budgets.isExhausted),
      resetsAt: day.end,
      unwritten: writer.unwritten() + shelf.size()
    }
  }).pipe(Effect.tap(tell))

const rangeOf = ({ from, to }: DayRange, today: string): readonly [from: string, to: string] => {
  const last = to ?? (from !== undefined && from > today ? from : today)
  return [from ?? last, last]
}

/** Today's sums are in the books, other days are read. */
const reportOf =
  ({ books, ledger, now, shelf }: Desk) =>
  ({ tenant, ...range }: ReportRange) =>
    Effect.flatMap(now, ({ day }) => {
      const [from, to] = rangeOf(range, day.name)
      const isToday = tenant === undefined && from === day.name && to === day.name
      if (isToday) return Effect.sync(() => books.today.report(from, to, reportGroups))
      const asked = tenant === undefined ? undefined : clean(tenant)
      return Effect.andThen(shelf.clear, ledger.report(from, to, reportGroups, asked))
    })

const linesOf =
  ({ ledger, now, shelf }: Desk) =>
  (range: DayRange) =>
    Effect.flatMap(now, ({ day }) =>
      Effect.andThen(shelf.clear, ledger.lines(...rangeOf(range, day.name), reportLines))
    )

/** The tracker over whatever ledger, catalog and events are there. */
export const makeTracker = Effect.fnUntraced(function* (options: TrackerOptions) {
  const ledger = yield* Ledger
  const events = yield* Events
  const entries = makeEntries(yield* ModelCatalog)
  const books = yield* openBooks(options, ledger)
  const writer = yield* makeWriter(events)
  const shelf = yield* makeShelf(books, ledger, writer)

  const now = Effect.map(Clock.currentTimeMillis, (at): Moment => ({ at, day: books.roll(at) }))
  const tell = Effect.suspend(() => {
    const news = books.takeEvents()
    return news.length === 0 ? Effect.void : Effect.forEach(news, events.publish, { discard: true })
  })
  const desk: Desk = { options, ledger, books, writer, shelf, entries, now, tell }

  const untilMidnight = Effect.flatMap(now, ({ at, day }) => Effect.sleep(day.end - at))
  yield* untilMidnight.pipe(Effect.andThen(now), Effect.andThen(tell), Effect.forever, Effect.forkScoped)

  return {
    ...makeReserving(desk),
    ...makeBooking(desk),
    ...makePausing(desk),
    state: stateOf(desk),
    stateFor: stateFor(desk),
    report: reportOf(desk),
    lines: linesOf(desk)
  }
})
