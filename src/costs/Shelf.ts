import { Effect, Latch, type Scope } from "effect"
import { zero } from "../domain/Money.ts"
import type { Books } from "./Books.ts"
import { costOf } from "./Entries.ts"
import type { LedgerStore, Rows } from "./LedgerStore.ts"
import type { Writer } from "./Writer.ts"

/** Rows that are kept already and wait to be booked together: one statement for hundreds of requests. */
export interface Shelf {
  readonly put: (rows: Rows) => void
  readonly size: () => number
  /** Books what is there now; returns when it is done, or has taken too long. For readers of the ledger. */
  readonly clear: Effect.Effect<void>
}

const longest = "250 millis"
const most = 500

export const makeShelf = Effect.fnUntraced(function* (
  books: Books,
  ledger: LedgerStore,
  writer: Writer
): Effect.fn.Return<Shelf, never, Scope.Scope> {
  let waiting: Array<Rows> = []
  const work = yield* Latch.make()

  /** The ledger had the request before: what it holds counts. After a try that failed it may be this very row. */
  const known = (rows: Rows, triedBefore: boolean) =>
    Effect.map(ledger.costOf(rows[0].requestId), (cost = zero) => {
      if (!triedBefore || cost !== costOf(rows)) books.takeBack(rows, cost)
    })

  const booked = (batch: ReadonlyArray<Rows>) => {
    let tries = 0
    return Effect.suspend(() => {
      const triedBefore = tries++ > 0
      return Effect.map(ledger.bookAll(batch), (isNew) => {
        // Writes of their own: the batch is done, and must not be tried again when one of these fails.
        for (const [index, rows] of batch.entries()) if (isNew[index] !== true) writer.begin(known(rows, triedBefore))
      })
    })
  }

  const flush = () => {
    const batch = waiting
    waiting = []
    work.closeUnsafe()
    return batch.length === 0 ? undefined : writer.begin(booked(batch), batch.length)
  }

  yield* Effect.addFinalizer(() => Effect.sync(flush))
  yield* work.await.pipe(
    Effect.andThen(Effect.sleep(longest)),
    Effect.andThen(Effect.sync(flush)),
    Effect.forever,
    Effect.forkScoped
  )

  return {
    put: (rows) => {
      waiting.push(rows)
      if (waiting.length >= most) flush()
      else if (waiting.length === 1) work.openUnsafe()
    },
    size: () => waiting.length,
    clear: Effect.suspend(() => Effect.asVoid(flush()?.wait ?? Effect.void))
  }
})
