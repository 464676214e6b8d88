import { Effect, Option } from "effect"
import { type NanoUsd, zero } from "../domain/Money.ts"
import { backlog, type Desk, maxUnwritten } from "./Desk.ts"
import { clean, costOf } from "./Entries.ts"
import type { Rows } from "./LedgerStore.ts"
import type { CostSettle } from "./Records.ts"
import type { Write } from "./Writer.ts"

/** After the call: what it cost goes into the books and into the ledger, once. */
export const makeBooking = ({ books, entries, ledger, now, shelf, tell, writer }: Desk) => {
  /** Bookings of what nobody reserved for, which are not known to be new yet. */
  const undecided = new Map<string, Effect.Effect<NanoUsd>>()

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

  /** Where nothing can be kept, or while there is a backlog, requests go at the ledger's pace, long before it makes them fail. */
  const bookHeld = (rows: Rows): Effect.Effect<NanoUsd> => {
    const cost = costOf(rows)
    books.add(rows, cost)
    books.ease(rows[0])
    if (ledger.keep(rows) && writer.unwritten() < backlog) {
      shelf.put(rows)
      return Effect.as(tell, cost)
    }
    const { wait } = book(rows)
    return waitedFor(Effect.map(wait, (written) => Option.getOrElse(written, () => cost)))
  }

  const waitedFor = (booked: Effect.Effect<NanoUsd>): Effect.Effect<NanoUsd> =>
    Effect.ensuring(Effect.andThen(tell, Effect.interruptible(booked)), tell)

  /** Books rows nobody reserved for, and counts them once the ledger says that they are new. */
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
      Effect.map(write.wait, (written) => Option.getOrElse(written, () => costOf(rows)))
    )
    undecided.set(requestId, answer)
    const write = writer.begin(booking)
    return answer
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
        return books.release(requestId) ? bookHeld(rows) : waitedFor(bookUnheld(rows))
      })
    )

  const saved = (request: CostSettle): Effect.Effect<NanoUsd> =>
    Effect.flatMap(now, (moment) => {
      const row = entries.hit(request, moment)
      const isKnown = books.settledCost(row.requestId) !== undefined
      if (isKnown || writer.unwritten() >= maxUnwritten) return Effect.succeed(row.savedNanoUsd)
      books.add([row], zero)
      if (ledger.keep([row])) shelf.put([row])
      else book([row])
      return Effect.as(tell, row.savedNanoUsd)
    })

  return { settle, saved }
}
