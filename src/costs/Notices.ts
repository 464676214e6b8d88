import type { Alert, Event } from "../domain/Event.ts"
import { format, type NanoUsd, sum } from "../domain/Money.ts"
import type { BudgetNotice, Refusal } from "./Budgets.ts"
import { BudgetExceeded } from "./Records.ts"

/** What was decided about money, in the words of events and errors. */

const raised = (alert: Alert): Event => ({ _tag: "AlertRaised", alert })
const cleared = (alert: Alert): Event => ({ _tag: "AlertCleared", alert })

const severity = (level: number): Alert["severity"] => (level >= 100 ? "critical" : level >= 90 ? "warning" : "info")

/** As it stands in a sentence: "daily budget", "budget of tenant acme". */
const called = (budget: string): string =>
  budget === "daily budget" || budget === "alert threshold" ? budget : `budget of ${budget}`

const reached = ({ budget, level, limit, spent }: BudgetNotice): Alert => ({
  kind: "cost_threshold",
  severity: severity(level),
  subject: budget,
  message: `${level} % of the ${called(budget)} is spent: ${format(spent)} of ${format(limit)} today.`
})

const pause = (budget: string, message: string): Alert => ({
  kind: "budget_paused",
  severity: "critical",
  subject: budget,
  message
})

const stopped = (budget: string, why: string): Alert =>
  pause(budget, `${why} Requests are refused. Raise the budget, resume, or wait for the new day.`)

const usedUp = ({ budget, limit, spent }: { budget: string; limit: NanoUsd; spent: NanoUsd }): string =>
  `The ${called(budget)}, ${format(limit)}, is used up (${format(spent)} spent).`

/** A budget reached a level; when that used it up, spending stops. */
export const levelReached = (notice: BudgetNotice): ReadonlyArray<Event> => {
  const alert = raised(reached(notice))
  if (!notice.stopped || notice.level < 100) return [alert]
  return [alert, { _tag: "BudgetPaused", reason: usedUp(notice) }, raised(stopped(notice.budget, usedUp(notice)))]
}

/** The first request of the day that a budget had no room for. */
export const firstRefusal = (refusal: Refusal): Event =>
  raised(stopped(refusal.budget, `The ${called(refusal.budget)} has no room left for a request.`))

/** What was in flight took less than it held: there is room again. */
export const roomAgain = (budget: string): Event => cleared(pause(budget, `The ${called(budget)} has room again.`))

/** A new day: what was raised about yesterday's budgets is over. */
export const dayBegan = (notices: ReadonlyArray<BudgetNotice>): ReadonlyArray<Event> =>
  notices.flatMap((notice) => [
    ...(notice.level > 0 ? [cleared(reached(notice))] : []),
    ...(notice.stopped ? [cleared(pause(notice.budget, `The ${called(notice.budget)} begins anew.`))] : [])
  ])

export const pausedBy = (reason: string): ReadonlyArray<Event> => [
  { _tag: "BudgetPaused", reason },
  raised(stopped("pause", `Spending is paused: ${reason}.`))
]

/** `granted`: the budgets that got their limit once more, as they were before. */
export const resumedBy = (
  by: string,
  wasPaused: boolean,
  granted: ReadonlyArray<BudgetNotice>
): ReadonlyArray<Event> => [
  { _tag: "BudgetResumed", by },
  ...(wasPaused ? [cleared(pause("pause", "Spending goes on."))] : []),
  ...granted.flatMap((notice) => [
    ...(notice.level > 0 ? [cleared(reached(notice))] : []),
    cleared(pause(notice.budget, `The ${called(notice.budget)} was extended.`))
  ])
]

const when = (millis: number): string => new Date(millis).toISOString()

export const refused = (refusal: Refusal, estimate: NanoUsd, resetsAt: number): BudgetExceeded => {
  const { budget, limit, reserved, spent } = refusal
  const left = Math.max(0, limit - spent - reserved)
  // A difference of whole numbers.
  const message =
    `The ${called(budget)}, ${format(limit)}, has ${format(left as NanoUsd)} left (${format(spent)} spent, ` +
    `${format(reserved)} held by requests in flight); this request may cost ${format(estimate)}. ` +
    `Nothing was sent. It begins anew at ${when(resetsAt)}; resuming grants it once more until then.`
  return new BudgetExceeded({ budget, limit, spent, resetsAt, message })
}

export const refusedByPause = (reason: string, limit: NanoUsd, spent: NanoUsd, resetsAt: number): BudgetExceeded =>
  new BudgetExceeded({
    budget: "pause",
    limit,
    spent,
    resetsAt,
    message: `Spending is paused: ${reason}. Nothing was sent. It goes on when somebody resumes it.`
  })

export const refusedUnwritten = (unwritten: number, limit: NanoUsd, spent: NanoUsd, resetsAt: number): BudgetExceeded =>
  new BudgetExceeded({
    budget: "ledger",
    limit,
    spent,
    resetsAt,
    message: `${unwritten} entries wait for a ledger that cannot be written, so no more money is spent. Check the database.`
  })

/** What a start found open: the requests that were in flight when the last process died. */
export const recovered = (reservations: ReadonlyArray<NanoUsd>): string =>
  `${reservations.length} request(s) were in flight when the last process ended. They are booked as unsettled with ` +
  `their reservations, ${format(sum(...reservations))} together.`
