import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Books } from "../../src/costs/Books.ts"
import { makeDays } from "../../src/costs/Days.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import type { LedgerStore } from "../../src/costs/LedgerStore.ts"
import { LedgerError } from "../../src/costs/Records.ts"
import { makeShelf } from "../../src/costs/Shelf.ts"
import { makeWriter } from "../../src/costs/Writer.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { entry } from "./entries.ts"

const row = (requestId: string, cost = 1000) => entry({ requestId, costNanoUsd: nanoUsd(cost) })
const cutOff = new LedgerError({ operation: "be reached", reason: "cut off" })

/** A shelf over a ledger in memory, with the sizes of the batches that it was asked to book. */
const shelved = Effect.fnUntraced(function* (change: (store: LedgerStore) => Partial<LedgerStore> = () => ({})) {
  const inner = makeMemory()
  const batches: Array<number> = []
  const store = { ...inner, ...change(inner) }
  const ledger: LedgerStore = {
    ...store,
    bookAll: (requests) =>
      Effect.suspend(() => {
        batches.push(requests.length)
        return store.bookAll(requests)
      })
  }
  const books = new Books({ daysOf: makeDays("UTC"), rules: [] })
  const writer = yield* makeWriter(yield* Events)
  const shelf = yield* makeShelf(books, ledger, writer)
  const settle = (requestId: string, cost?: number) => {
    const rows = [row(requestId, cost)] as const
    books.add(rows, rows[0].costNanoUsd)
    shelf.put(rows)
  }
  return { batches, books, inner, settle, shelf, writer }
})

describe("the shelf", () => {
  it.effect("books together what comes within a quarter of a second", () =>
    Effect.gen(function* () {
      const { batches, inner, settle, shelf } = yield* shelved()
      for (let n = 0; n < 40; n++) settle(`r${n}`)
      assert.strictEqual(shelf.size(), 40)
      assert.isUndefined(yield* inner.costOf("r0"))
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(shelf.size(), 0)
      assert.deepStrictEqual(batches, [40])
      assert.strictEqual(yield* inner.costOf("r39"), 1000)
      settle("later")
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(batches, [40, 1])
    }).pipe(Effect.provide(Events.layerTest))
  )

  it.effect("never holds more than 500, and gives up what it holds to who reads the ledger", () =>
    Effect.gen(function* () {
      const { batches, inner, settle, shelf } = yield* shelved()
      for (let n = 0; n < 1_001; n++) settle(`r${n}`)
      assert.deepStrictEqual(batches, [500, 500])
      yield* shelf.clear
      assert.deepStrictEqual(batches, [500, 500, 1])
      assert.strictEqual(yield* inner.costOf("r1000"), 1000)
    }).pipe(Effect.provide(Events.layerTest))
  )

  it.effect("a request that the ledger had before counts as the ledger has it", () =>
    Effect.gen(function* () {
      const { books, inner, settle, shelf } = yield* shelved()
      yield* inner.book([row("twice", 700)])
      settle("twice", 900)
      settle("once", 50)
      yield* shelf.clear
      yield* TestClock.adjust("1 second")
      assert.strictEqual(books.total.costNanoUsd, 50)
      assert.strictEqual(books.settledCost("twice"), 700)
    }).pipe(Effect.provide(Events.layerTest))
  )

  it.effect("a batch that was written though its answer got lost counts once", () =>
    Effect.gen(function* () {
      let lost = false
      const { batches, books, settle, shelf, writer } = yield* shelved((inner) => ({
        bookAll: (requests) =>
          Effect.flatMap(inner.bookAll(requests), (answers) => {
            if (lost) return Effect.succeed(answers)
            lost = true
            return Effect.fail(cutOff)
          })
      }))
      settle("a", 3)
      settle("b", 4)
      yield* shelf.clear
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(batches, [2, 2])
      assert.strictEqual(writer.unwritten(), 0)
      assert.strictEqual(books.total.costNanoUsd, 7)
    }).pipe(Effect.provide(Events.layerTest))
  )

  it.effect("is empty when its scope has closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { inner, settle } = yield* Scope.provide(shelved(), scope)
      settle("last")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* inner.costOf("last"), 1000)
    }).pipe(Effect.provide(Events.layerTest))
  )
})
