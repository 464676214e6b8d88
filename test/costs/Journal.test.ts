import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Journal, readJournal } from "../../src/costs/Journal.ts"
import { openJournal } from "../../src/costs/JournalSlot.ts"
import { makeJournaled } from "../../src/costs/LedgerJournaled.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import { fromUsd } from "../../src/domain/Money.ts"
import { entry, intent } from "./entries.ts"
import { breakable, inProcess, reserving, settling } from "./tracking.ts"

const root = mkdtempSync(join(tmpdir(), "sluice-journal-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const fresh = () => join(root, `${made++}`)
const empty = new Map()

describe("the journal", () => {
  it("holds what was begun and not ended, without being closed", () => {
    const path = fresh()
    const journal = new Journal(path, empty)
    for (const id of ["a", "b", "c", "d"]) assert.isTrue(journal.open(intent(id)))
    const rows = [entry({ requestId: "b" }), entry({ requestId: "b", part: 1 })] as const
    assert.isTrue(journal.book(rows))
    assert.isTrue(journal.cancel("c"))
    assert.isFalse(journal.cancel("c"))
    assert.deepStrictEqual(
      [...readJournal(path)],
      [
        ["a", { open: intent("a") }],
        ["b", { book: rows }],
        ["d", { open: intent("d") }]
      ]
    )
  })

  it("leaves out a line that was torn, and goes on after it", () => {
    const path = fresh()
    const journal = new Journal(path, empty)
    journal.open(intent("a"))
    appendFileSync(path, '{"open":{"requestId":"torn","at":1')
    assert.deepStrictEqual([...readJournal(path).keys()], ["a"])
    const next = new Journal(path, readJournal(path))
    next.open(intent("b"))
    assert.deepStrictEqual([...readJournal(path).keys()], ["a", "b"])
  })

  it("stays small however many requests go by, and keeps what is live", () => {
    const path = fresh()
    const journal = new Journal(path, empty)
    journal.open(intent("long"))
    for (let i = 0; i < 10_000; i++) {
      journal.open(intent(`r${i}`))
      journal.book([entry({ requestId: `r${i}` })])
      journal.done(`r${i}`)
    }
    assert.isBelow(statSync(path).size, 1.1 * 1024 * 1024)
    assert.deepStrictEqual(readJournal(path).get("long"), { open: intent("long") })
  })

  it("that cannot be written says so and throws nothing", () => {
    const journal = new Journal(fresh(), empty)
    journal.open(intent("a"))
    journal.close()
    assert.isFalse(journal.open(intent("b")))
    assert.isFalse(journal.book([entry({ requestId: "a" })]))
  })

  it("leaves no file when nothing is under way", () => {
    const path = fresh()
    const journal = new Journal(path, empty)
    journal.open(intent("a"))
    journal.cancel("a")
    journal.close()
    assert.isFalse(existsSync(path))
  })
})

describe("processes that share a directory", () => {
  it.effect("have a journal each, and take over only from the dead", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const alive = yield* openJournal(directory)
      alive.open(intent("alive"))
      const scope = yield* Scope.make()
      const second = yield* Scope.provide(openJournal(directory), scope)
      second.open(intent("second"))
      assert.deepStrictEqual([...second.live.keys()], ["second"])
      yield* Scope.close(scope, Exit.void)
      copyFileSync(join(directory, "journal-1"), join(directory, "journal-7"))
      const third = yield* openJournal(directory)
      assert.deepStrictEqual([...third.live.keys()], ["second"])
      const files = readdirSync(directory).filter((name) => !name.endsWith(".lock"))
      assert.deepStrictEqual(files.sort(), ["journal-0", "journal-1"])
      assert.include(readFileSync(join(directory, "journal-0"), "utf8"), "alive")
    })
  )

  it.effect("a directory that cannot be is an error that says what to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openJournal("/dev/null/ledger"))
      assert.match(error.message, /could not keep a journal in \/dev\/null\/ledger/)
    })
  )
})

describe("a ledger with a journal", () => {
  /** A process that is killed: its scope is never closed, but its locks are gone. */
  const killedAfter = <A, E>(
    directory: string,
    copy: string,
    use: (costs: CostTracker["Service"]) => Effect.Effect<A, E>
  ) =>
    Effect.gen(function* () {
      const { state, store } = breakable(makeMemory())
      const ledger = yield* makeJournaled(directory, store)
      yield* inProcess(
        ledger,
        {},
        Effect.gen(function* () {
          const costs = yield* CostTracker
          state.broken = true
          yield* use(costs)
          copyFileSync(join(directory, "journal-0"), copy)
          state.broken = false
        })
      )
    }).pipe(Effect.scoped)

  it.live("has every settlement and every open request of a process that died before the database heard of them", () =>
    Effect.gen(function* () {
      const copy = fresh()
      yield* killedAfter(fresh(), copy, (costs) =>
        Effect.gen(function* () {
          for (const id of ["settled", "open", "released"]) yield* costs.reserve(reserving(id, 2))
          yield* costs.settle(settling("settled", 0.5))
          yield* costs.release("released")
        })
      )
      const directory = fresh()
      yield* Effect.scoped(openJournal(directory))
      copyFileSync(copy, join(directory, "journal-0"))
      const store = makeMemory()
      for (let i = 0; i < 2; i++) {
        const ledger = yield* makeJournaled(directory, store)
        const { total } = yield* inProcess(
          ledger,
          {},
          Effect.flatMap(CostTracker, (costs) => costs.state)
        )
        assert.strictEqual(total.costNanoUsd, fromUsd(2.5))
        assert.strictEqual(total.requests, 2)
      }
      assert.strictEqual(yield* store.costOf("settled"), fromUsd(0.5))
      assert.strictEqual(yield* store.costOf("open"), fromUsd(2))
    }).pipe(Effect.scoped)
  )
})
