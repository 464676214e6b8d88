import { Clock, Effect, Option } from "effect"
import { type NanoUsd, sum, zero } from "../domain/Money.ts"
import { Events } from "../events/Events.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Books, isRefusal, percentOf, reservedOf } from "./Books.ts"
import type { BudgetRule } from "./Budgets.ts"
import { decodeControl, encodeControl } from "./Control.ts"
import { type Day, makeDays } from "./Days.ts"
import { clean, type Moment, makeEntries, unsettled } from "./Entries.ts"
import { Ledger } from "./Ledger.ts"
import type { Rows } from "./LedgerStore.ts"
import * as Notices from "./Notices.ts"
import type { BudgetExceeded, CostReserve, CostSettle, CostState, DayRange, LedgerIntent } from "./Records.ts"
import { makeWriter, type Write } from "./Writer.ts"

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

/** Entries that may be on their way to the ledger while nobody waits for them. */
const backlog = 2000
/** Entries that may wait for a ledger in trouble before requests are refused. */
const maxUnwritten = 10_000
/** Groups of each kind in a report; the rest is added up. */
const reportGroups = 100

const rulesOf = ({ budgets, dailyBudget, enforced, threshold }: TrackerOptions): ReadonlyArray<BudgetRule> => [
  { scope: "all", limit: threshold, soft: true },
  ...(enforced && dailyBudget !== null ? [{ scope: "all" as const, limit: dailyBudget }] : []),
  ...(enforced ? budgets : [])
]

const costOf = (rows: Rows): NanoUsd => sum(...rows.map((row) => row.costNanoUsd))

/** What a dead process left open is booked with its reservation. */
const recover = Effect.fnUntraced(function* (intents: ReadonlyArray<LedgerIntent>, books: Books) {
  const ledger = yield* Ledger
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
  if (booked.flat().length === 0) return
  yield* Effect.logWarning(Notices.recovered(booked.flat()))
})

/** The tracker over whatever ledger, catalog and events are there. */
export const makeTracker = Effect.fnUntraced(function* (options: TrackerOptions) {
  const ledger = yield* Ledger
  const events = yield* Events
  const entries = makeEntries(yield* ModelCatalog)
  const books = new Books({ daysOf: makeDays(options.timeZone), rules: rulesOf(options) })
  const limit = options.dailyBudget ?? options.threshold

  const first = books.roll(yield* Clock.currentTimeMillis)
  const opening = yield* ledger.opening(first.name)
  books.load(opening, decodeControl(opening.control), first)
  const writer = yield* makeWriter(events)
  yield* recover(opening.intents, books)

  const now = Effect.map(Clock.currentTimeMillis, (at): Moment => ({ at, day: books.roll(at) }))

  const tell = Effect.suspend(() => {
    const news = books.takeEvents()
    return news.length === 0 ? Effect.void : Effect.forEach(news, events.publish, { discard: true })
  })

  const refuse = (request: CostReserve, day: Day): BudgetExceeded | undefined => {
    const spent = books.today.costNanoUsd
    if (options.enforced && books.paused !== null) return Notices.refusedByPause(books.paused, limit, spent, day.end)
    const unwritten = writer.unwritten()
    if (unwritten >= maxUnwritten) return Notices.refusedUnwritten(unwritten, limit, spent, day.end)
    const outcome = books.hold(clean(request.requestId), entries.subjectOf(request), request.estimate)
    if (!isRefusal(outcome)) return undefined
    if (outcome.first) books.announce(Notices.firstRefusal(outcome))
    return Notices.refused(outcome, request.estimate, day.end)
  }

  const release = (requestId: string) =>
    Effect.suspend(() => {
      const id = clean(requestId)
      return books.release(id) ? Effect.asVoid(writer.begin(ledger.cancel(id)).wait) : Effect.void
    })

  const reserve = (request: CostReserve): Effect.Effect<void, BudgetExceeded> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(now, (moment) => {
        if (books.isHeld(clean(request.requestId))) return tell
        const refusal = refuse(request, moment.day)
        if (refusal !== undefined) return Effect.andThen(tell, Effect.fail(refusal))
        const intent = writer.begin(ledger.open(entries.intent(request, moment)))
        books.writing(clean(request.requestId), intent)
        return Effect.andThen(tell, restore(intent.wait)).pipe(
          Effect.onInterrupt(() => release(request.requestId)),
          Effect.asVoid
        )
      })
    )

  /** Books rows that are counted already, and takes them out again where the ledger had the request before. */
  const book = (rows: Rows): Write<NanoUsd> =>
    writer.begin(
      Effect.flatMap(ledger.book(rows), (isNew) =>
        isNew
          ? Effect.succeed(costOf(rows))
          : Effect.map(ledger.costOf(rows[0].requestId), (cost = zero) => {
              books.takeBack(rows, cost)
              return cost
            })
      )
    )

  /** Bookings of what nobody reserved for, which are not known to be new yet. */
  const undecided = new Map<string, Effect.Effect<NanoUsd>>()

  /** Books rows, and counts them once the ledger says that they are new. */
  const bookUnheld = (rows: Rows): Effect.Effect<NanoUsd> => {
    const { requestId } = rows[0]
    const booking = Effect.gen(function* () {
      const isNew = yield* ledger.book(rows)
      const cost = isNew ? costOf(rows) : ((yield* ledger.costOf(requestId)) ?? zero)
      if (isNew) books.add(rows, cost)
      undecided.delete(requestId)
      return cost
    })
    const answer = Effect.suspend(() =>
      Effect.map(
        written.wait,
        Option.getOrElse(() => costOf(rows))
      )
    )
    undecided.set(requestId, answer)
    const written = writer.begin(booking)
    return answer
  }

  const bookHeld = (rows: Rows): Effect.Effect<NanoUsd> => {
    const cost = costOf(rows)
    books.add(rows, cost)
    // A backlog slows requests down to the ledger's pace, long before it makes them fail.
    const isKept = ledger.keep(rows) && writer.unwritten() < backlog
    const { wait } = book(rows)
    return isKept
      ? Effect.succeed(cost)
      : Effect.map(
          wait,
          Option.getOrElse(() => cost)
        )
  }

  const settle = (request: CostSettle): Effect.Effect<NanoUsd> =>
    Effect.uninterruptible(
      Effect.flatMap(now, (moment) => {
        const requestId = clean(request.requestId)
        const known = books.settledCost(requestId)
        if (known !== undefined) return Effect.succeed(known)
        const running = undecided.get(requestId)
        if (running !== undefined) return Effect.interruptible(running)
        const rows = entries.settled(request, moment)
        const written = books.release(requestId) ? bookHeld(rows) : bookUnheld(rows)
        return Effect.andThen(tell, Effect.interruptible(written)).pipe(Effect.ensuring(tell))
      })
    )

  const saved = (request: CostSettle): Effect.Effect<NanoUsd> =>
    Effect.flatMap(now, (moment) => {
      const row = entries.hit(request, moment)
      const isKnown = books.settledCost(row.requestId) !== undefined
      if (isKnown || writer.unwritten() >= maxUnwritten) return Effect.succeed(row.savedNanoUsd)
      books.add([row], zero)
      book([row])
      return Effect.as(tell, row.savedNanoUsd)
    })

  const state = Effect.map(
    now,
    ({ day }): CostState => ({
      enabled: true,
      day: day.name,
      today: books.today,
      total: books.total,
      reservedNanoUsd: reservedOf(books),
      thresholdNanoUsd: options.threshold,
      thresholdPercent: percentOf(books.today.costNanoUsd, options.threshold),
      dailyBudgetNanoUsd: options.dailyBudget,
      paused: options.enforced && (books.paused !== null || books.budgets.isExhausted),
      resetsAt: day.end,
      unwritten: writer.unwritten()
    })
  ).pipe(Effect.tap(tell))

  const report = ({ from, to }: DayRange) =>
    Effect.flatMap(now, ({ day }) => ledger.report(from ?? to ?? day.name, to ?? day.name, reportGroups))

  /** A pause and a grant outlive a restart, so that a process that comes back does not spend what was stopped. */
  const keepControl = (day: Day) =>
    writer.begin(
      ledger.saveControl(encodeControl({ paused: books.paused, day: day.name, grants: books.budgets.grants }))
    ).wait

  const pause = (reason: string) =>
    Effect.flatMap(now, ({ day }) => {
      if (books.paused === null) books.announce(...Notices.pausedBy(reason))
      books.paused = clean(reason)
      return Effect.andThen(tell, Effect.asVoid(keepControl(day)))
    })

  const resume = (by: string) =>
    Effect.flatMap(now, ({ day }) => {
      const wasPaused = books.paused !== null
      const granted = books.budgets.grant()
      if (!wasPaused && granted.length === 0) return tell
      books.paused = null
      books.announce(...Notices.resumedBy(by, wasPaused, granted))
      return Effect.andThen(tell, Effect.asVoid(keepControl(day)))
    })

  const untilMidnight = Effect.flatMap(now, ({ at, day }) => Effect.sleep(day.end - at))
  yield* untilMidnight.pipe(Effect.andThen(now), Effect.andThen(tell), Effect.forever, Effect.forkScoped)

  return { reserve, settle, release, saved, state, report, pause, resume }
})
