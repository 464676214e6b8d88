import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "../../src/chat/Database.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import type { CostReport, LedgerEntry } from "../../src/costs/Records.ts"
import { noTotals } from "../../src/costs/Totals.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { entry, intent } from "./entries.ts"

const keys = (groups: CostReport["byModel"]) => groups.map(({ costNanoUsd, key }) => [key, Number(costNanoUsd)])

const mixed: ReadonlyArray<LedgerEntry> = Array.from({ length: 60 }, (_, i) =>
  entry({
    requestId: `mixed ${i}`,
    day: `2026-10-0${1 + (i % 3)}`,
    tenant: `tenant ${i % 2}`,
    agent: `agent ${i % 5}`,
    conversation: i % 4 === 0 ? null : `conversation ${i % 20}`,
    model: i % 7 === 0 ? "claude-haiku-5-5" : "claude-sonnet-5-5",
    costNanoUsd: nanoUsd(i * i),
    savedNanoUsd: nanoUsd(3),
    saved: { cache: nanoUsd(1), context: nanoUsd(-3), routing: nanoUsd(5) }
  })
)

const suite = (name: string, backend: Layer.Layer<Ledger, unknown>) =>
  layer(backend, { timeout: "60 seconds" })(`the ledger in ${name}`, (it) => {
    it.effect("books a request once, whoever asks and how often", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const first = entry({ requestId: "once" })
        const again = entry({ requestId: "once", costNanoUsd: nanoUsd(7) })
        assert.isTrue(yield* ledger.book([first]))
        assert.isFalse(yield* ledger.book([again]))
        assert.strictEqual(yield* ledger.costOf("once"), first.costNanoUsd)
        const race = Effect.all(
          [ledger.book([entry({ requestId: "race" })]), ledger.book([entry({ requestId: "race" })])],
          {
            concurrency: 2
          }
        )
        assert.deepStrictEqual([...(yield* race)].sort(), [false, true])
        assert.strictEqual(yield* ledger.costOf("never"), undefined)
      })
    )

    it.effect("the parts of a request are booked together or not at all", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const part = (n: number, cost: number) => entry({ requestId: "parts", part: n, costNanoUsd: nanoUsd(cost) })
        assert.isTrue(yield* ledger.book([part(0, 1), part(1, 2)]))
        assert.isFalse(yield* ledger.book([part(0, 10), part(1, 20), part(2, 30)]))
        assert.strictEqual(yield* ledger.costOf("parts"), 3)
      })
    )

    it.effect("an intent is open until its request is booked or cancelled", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const openIds = Effect.map(ledger.opening("2026-09-21"), ({ intents }) => intents.map((one) => one.requestId))
        yield* Effect.forEach(["a", "b", "c"], (id) => ledger.open(intent(`intent ${id}`)), { concurrency: 3 })
        assert.sameMembers(yield* openIds, ["intent a", "intent b", "intent c"])
        yield* ledger.book([entry({ requestId: "intent a" })])
        yield* ledger.cancel("intent b")
        yield* ledger.cancel("intent b")
        const { intents } = yield* ledger.opening("2026-09-21")
        assert.deepStrictEqual(intents, [intent("intent c")])
        yield* ledger.cancel("intent c")
      })
    )

    it.effect("opening tells what was spent, today and ever, and the control that was kept last", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const before = yield* ledger.opening("2030-01-02")
        assert.deepStrictEqual(before.spent, [])
        assert.strictEqual(before.control, null)
        yield* ledger.book([entry({ requestId: "yesterday", day: "2030-01-01" })])
        yield* ledger.book([
          entry({ requestId: "today", day: "2030-01-02", tenant: "acme", conversation: "c" }),
          entry({
            requestId: "today",
            part: 1,
            day: "2030-01-02",
            tenant: "acme",
            conversation: "c",
            model: "claude-haiku-5-5"
          })
        ])
        yield* ledger.saveControl("one")
        yield* ledger.saveControl("two")
        const after = yield* ledger.opening("2030-01-02")
        assert.strictEqual(after.total.requests - before.total.requests, 2)
        assert.strictEqual(after.total.costNanoUsd - before.total.costNanoUsd, 3000)
        assert.deepStrictEqual(
          after.spent
            .map(({ costNanoUsd, subject }) => [
              subject.tenant,
              subject.conversation,
              subject.model,
              Number(costNanoUsd)
            ])
            .sort(),
          [
            ["acme", "c", "claude-haiku-5-5", 1000],
            ["acme", "c", "claude-sonnet-5-5", 1000]
          ]
        )
        assert.strictEqual(after.control, "two")
        const acme = (tenants: typeof after.tenants) => tenants.find(({ key }) => key === "acme")?.costNanoUsd ?? 0
        assert.strictEqual(acme(after.tenants) - acme(before.tenants), 2000)
        assert.strictEqual(
          after.tenants.reduce((total, { costNanoUsd }) => total + costNanoUsd, 0),
          Number(after.total.costNanoUsd)
        )
      })
    )

    it.effect("reports every group of a range of days, and nothing outside it", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Effect.forEach(mixed, (row) => ledger.book([row]), { concurrency: 16 })
        const all = yield* ledger.report("2026-10-01", "2026-10-03", 100)
        const cost = mixed.reduce((total, row) => total + row.costNanoUsd, 0)
        assert.deepStrictEqual(all.total, {
          requests: 60,
          usage: { input: 600, cacheWrite5m: 1200, cacheWrite1h: 1800, cacheRead: 2400, output: 3000 },
          rawTokens: 6000,
          costNanoUsd: nanoUsd(cost),
          savedNanoUsd: nanoUsd(180),
          saved: { cache: nanoUsd(60), context: nanoUsd(-180), routing: nanoUsd(300) }
        })
        for (const groups of [all.byDay, all.byModel, all.byAgent, all.byTenant, all.byConversation]) {
          assert.strictEqual(
            groups.reduce((total, group) => total + group.costNanoUsd, 0),
            cost
          )
          assert.strictEqual(
            groups.reduce((total, group) => total + group.requests, 0),
            60
          )
        }
        assert.deepStrictEqual(
          all.byDay.map(({ key }) => key),
          ["2026-10-01", "2026-10-02", "2026-10-03"]
        )
        assert.lengthOf(all.byConversation, 16)
        assert.include(
          all.byConversation.map(({ key }) => key),
          "(none)"
        )
        const oneDay = yield* ledger.report("2026-10-02", "2026-10-02", 100)
        assert.strictEqual(oneDay.total.requests, 20)
        for (const { key, ...totals } of all.byTenant) {
          const own = yield* ledger.report("2026-10-01", "2026-10-03", 100, key)
          assert.deepStrictEqual(own.total, totals)
          assert.deepStrictEqual(own.byTenant, [{ key, ...totals }])
          assert.strictEqual(
            own.byModel.reduce((total, group) => total + group.costNanoUsd, 0),
            totals.costNanoUsd
          )
        }
        assert.deepStrictEqual((yield* ledger.report("2026-10-01", "2026-10-03", 100, "nobody")).total, noTotals)
        const nothing = yield* ledger.report("2020-01-01", "2020-12-31", 100)
        assert.deepStrictEqual(nothing.total, noTotals)
        assert.deepStrictEqual(nothing.byModel, [])
      })
    )

    it.effect("tells the finest lines, by day and then the dearest first", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Effect.forEach(mixed, (row) => ledger.book([row]), { concurrency: 16 })
        const lines = yield* ledger.lines("2026-10-01", "2026-10-02", 1000)
        assert.strictEqual(
          lines.reduce((total, line) => total + line.requests, 0),
          40
        )
        const order = lines.map(({ costNanoUsd, day }) => [day, -costNanoUsd] as const)
        assert.deepStrictEqual(
          order,
          order.toSorted(([a, x], [b, y]) => a.localeCompare(b) || x - y)
        )
        const dearest = mixed.findLast(({ day }) => day === "2026-10-01") ?? assert.fail("none")
        const { agent, conversation, day, model, tenant } = dearest
        assert.deepInclude(lines[0], { agent, conversation, day, model, tenant })
        assert.lengthOf(yield* ledger.lines("2026-10-01", "2026-10-02", 3), 3)
      })
    )

    it.effect("keeps the dearest groups and adds up the others; days are never cut", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        yield* Effect.forEach(mixed, (row) => ledger.book([row]), { concurrency: 16 })
        const all = yield* ledger.report("2026-10-01", "2026-10-03", 100)
        const cut = yield* ledger.report("2026-10-01", "2026-10-03", 2)
        assert.deepStrictEqual(keys(cut.byAgent).slice(0, 2), keys(all.byAgent).slice(0, 2))
        const rest = all.byAgent.slice(2).reduce((total, { costNanoUsd }) => total + costNanoUsd, 0)
        assert.deepStrictEqual(keys(cut.byAgent)[2], ["(other)", rest])
        assert.lengthOf(cut.byConversation, 3)
        assert.lengthOf(cut.byDay, 3)
        assert.deepStrictEqual(cut.total, all.total)
      })
    )
  })

suite("memory", Ledger.layerMemory)

const directory = mkdtempSync(join(tmpdir(), "sluice-journal-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
suite("memory, with a journal", Ledger.layerJournaled(directory).pipe(Layer.provide(Ledger.layerMemory)))

const database = Database.layerMemory
suite("PGlite", Ledger.layerSql.pipe(Layer.provide(database)))

layer(database, { timeout: "60 seconds" })("the ledger's tables", (it) => {
  it.effect("a report reads only the days it is about, by index", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO ledger SELECT 'r' || i, 0, i, '2026-' || lpad((1 + i % 12)::text, 2, '0') || '-01', 't', 'a',
        NULL, 'm', 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 'settled', false FROM generate_series(1, 5000) AS i`
      yield* sql`ANALYZE ledger`
      const plan = yield* sql<
        { readonly queryPlan: string } & Record<string, string>
      >`EXPLAIN SELECT tenant, sum(cost) FROM ledger
        WHERE day BETWEEN '2026-03-01' AND '2026-03-31' GROUP BY tenant`
      const text = plan.map((row) => Object.values(row).join("")).join("\n")
      assert.match(text, /ledger_by_day/)
      const lookup = yield* sql<Record<string, string>>`EXPLAIN SELECT cost FROM ledger WHERE request_id = 'r77'`
      assert.match(lookup.map((row) => Object.values(row).join("")).join("\n"), /ledger_pkey/)
    })
  )

  it.effect("one row that cannot be written does not take the others with it", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      const bad = entry({ requestId: "bad", day: "nul\u0000" })
      const good = Array.from({ length: 20 }, (_, i) => entry({ requestId: `good ${i}`, day: "2026-11-11" }))
      const results = yield* Effect.forEach([...good, bad], (row) => Effect.result(ledger.book([row])), {
        concurrency: 21
      })
      assert.deepStrictEqual(
        results.map(({ _tag }) => _tag),
        [...good.map(() => "Success" as const), "Failure"]
      )
      assert.strictEqual((yield* ledger.report("2026-11-11", "2026-11-11", 10)).total.requests, 20)
    }).pipe(Effect.provide(Ledger.layerSql))
  )

  describe("money", () => {
    it.effect("is exact beyond what a float of dollars could hold", () =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const dear = nanoUsd(1_234_567_890_123_457)
        yield* ledger.book([entry({ requestId: "dear", day: "2026-12-12", costNanoUsd: dear })])
        yield* ledger.book([entry({ requestId: "cheap", day: "2026-12-12", costNanoUsd: nanoUsd(1) })])
        assert.strictEqual((yield* ledger.report("2026-12-12", "2026-12-12", 10)).total.costNanoUsd, dear + 1)
      }).pipe(Effect.provide(Ledger.layerSql))
    )
  })
})
