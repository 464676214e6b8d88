import { Effect } from "effect"
import { openJournal } from "./JournalSlot.ts"
import type { LedgerStore, Rows } from "./LedgerStore.ts"

/**
 * A ledger whose intents, and whose rows until they are booked, stand in a journal in `directory`: microseconds instead
 * of a commit before and after every call, and exact over a `kill -9`. Where the journal cannot be written, the ledger
 * below is waited for as if there were none.
 */
export const makeJournaled = Effect.fnUntraced(function* (directory: string, inner: LedgerStore) {
  const journal = yield* openJournal(directory)

  const book = (rows: Rows) => Effect.tap(inner.book(rows), () => Effect.sync(() => journal.done(rows[0].requestId)))

  const lines = () => [...journal.live.values()]
  const unbooked = lines().flatMap((line) => ("book" in line ? [line.book] : []))
  yield* Effect.forEach(unbooked, book, { concurrency: "unbounded", discard: true })

  const store: LedgerStore = {
    ...inner,
    open: (intent) => Effect.suspend(() => (journal.open(intent) ? Effect.void : inner.open(intent))),
    note: (intent) => journal.open(intent),
    keep: (rows) => journal.book(rows),
    book,
    bookAll: (requests) =>
      Effect.tap(inner.bookAll(requests), () =>
        Effect.sync(() => {
          for (const [{ requestId }] of requests) journal.done(requestId)
        })
      ),
    forget: (requestId) => journal.cancel(requestId),
    cancel: (requestId) => Effect.suspend(() => (journal.cancel(requestId) ? Effect.void : inner.cancel(requestId))),
    opening: (day) =>
      Effect.map(inner.opening(day), (opening) => {
        const kept = lines().flatMap((line) => ("open" in line ? [line.open] : []))
        return { ...opening, intents: [...opening.intents, ...kept] }
      })
  }
  return store
})
