import { Effect } from "effect"
import { encodeControl } from "./Control.ts"
import type { Day } from "./Days.ts"
import type { Desk } from "./Desk.ts"
import { clean } from "./Entries.ts"
import * as Notices from "./Notices.ts"

/** What an operator can do. It outlives a restart, so that a process that comes back does not spend what was stopped. */
export const makePausing = ({ books, ledger, now, tell, writer }: Desk) => {
  const keep = (day: Day) => {
    const control = encodeControl({ paused: books.paused, day: day.name, grants: books.budgets.grants })
    return Effect.andThen(tell, Effect.asVoid(writer.begin(ledger.saveControl(control)).wait))
  }

  const pause = (reason: string): Effect.Effect<void> =>
    Effect.flatMap(now, ({ day }) => {
      if (books.paused === null) books.announce(...Notices.pausedBy(reason))
      books.paused = clean(reason)
      return keep(day)
    })

  const resume = (by: string): Effect.Effect<void> =>
    Effect.flatMap(now, ({ day }) => {
      const wasPaused = books.paused !== null
      const granted = books.budgets.grant()
      if (!wasPaused && granted.length === 0) return tell
      books.paused = null
      books.announce(...Notices.resumedBy(by, wasPaused, granted))
      return keep(day)
    })

  return { pause, resume }
}
