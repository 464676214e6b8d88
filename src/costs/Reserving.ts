import { Effect } from "effect"
import { isRefusal } from "./Books.ts"
import type { Day } from "./Days.ts"
import { type Desk, maxUnwritten } from "./Desk.ts"
import { clean } from "./Entries.ts"
import * as Notices from "./Notices.ts"
import type { BudgetExceeded, CostReserve } from "./Records.ts"

/** Before the call: taking its estimate from the budgets, and giving it back. */
export const makeReserving = ({ books, entries, ledger, now, options, tell, writer }: Desk) => {
  const limit = options.dailyBudget ?? options.threshold

  const refusalOf = (request: CostReserve, requestId: string, day: Day): BudgetExceeded | undefined => {
    const spent = books.today.total.costNanoUsd
    if (options.enforced && books.paused !== null) return Notices.refusedByPause(books.paused, limit, spent, day.end)
    const unwritten = writer.unwritten()
    if (unwritten >= maxUnwritten) return Notices.refusedUnwritten(unwritten, limit, spent, day.end)
    const outcome = books.hold(requestId, entries.subjectOf(request), request.estimate)
    if (!isRefusal(outcome)) return undefined
    if (outcome.first) books.announce(Notices.firstRefusal(outcome))
    return Notices.refused(outcome, request.estimate, day.end)
  }

  const release = (given: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const requestId = clean(given)
      if (!books.cancel(requestId) || ledger.forget(requestId)) return tell
      return Effect.andThen(tell, Effect.asVoid(writer.begin(ledger.cancel(requestId)).wait))
    })

  const reserve = (request: CostReserve): Effect.Effect<void, BudgetExceeded> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(now, (moment) => {
        const requestId = clean(request.requestId)
        if (books.isHeld(requestId)) return tell
        const refusal = refusalOf(request, requestId, moment.day)
        if (refusal !== undefined) return Effect.andThen(tell, Effect.fail(refusal))
        const noted = entries.intent(request, moment)
        if (ledger.note(noted)) return tell
        const intent = writer.begin(ledger.open(noted))
        books.writing(requestId, intent)
        return Effect.andThen(tell, restore(intent.wait)).pipe(
          Effect.onInterrupt(() => release(requestId)),
          Effect.asVoid
        )
      })
    )

  return { reserve, release }
}
