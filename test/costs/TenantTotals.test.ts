import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { makeMemory } from "../../src/costs/LedgerMemory.ts"
import { TenantTotals } from "../../src/costs/TenantTotals.ts"
import { minus, noTotals, plus } from "../../src/costs/Totals.ts"
import { fromUsd } from "../../src/domain/Money.ts"
import { entry } from "./entries.ts"
import { caller, inProcess, settling } from "./tracking.ts"

describe("totals by tenant", () => {
  it("are those of its rows, also when one is taken back", () => {
    const totals = new TenantTotals(10)
    const row = entry({ requestId: "r", tenant: "acme" })
    totals.change(row, plus)
    totals.change(row, plus)
    totals.change(entry({ requestId: "s", tenant: "globex" }), plus)
    totals.change(row, minus)
    assert.deepInclude(totals.of("acme"), { requests: 1, costNanoUsd: row.costNanoUsd })
    assert.deepStrictEqual(totals.of("nobody"), noTotals)
  })

  it("are not guessed beyond the bound: it says that it does not know", () => {
    const totals = new TenantTotals(2)
    for (const tenant of ["a", "b", "c"]) totals.change(entry({ requestId: tenant, tenant }), plus)
    assert.strictEqual(totals.of("a")?.requests, 1)
    assert.isUndefined(totals.of("c"))
  })

  it.effect("go on after a restart", () => {
    const store = makeMemory()
    const acme = caller({ tenant: "acme" })
    return Effect.gen(function* () {
      yield* inProcess(
        store,
        {},
        CostTracker.use((costs) => costs.settle(settling("a", 1, acme)))
      )
      const state = yield* inProcess(
        store,
        { budgets: [{ scope: "tenant", key: "acme", limit: fromUsd(3) }] },
        CostTracker.use((costs) => Effect.andThen(costs.settle(settling("b", 0.5, acme)), costs.stateFor("acme")))
      )
      assert.strictEqual(state.total.costNanoUsd, fromUsd(1.5))
      assert.strictEqual(state.today.costNanoUsd, fromUsd(1.5))
      assert.strictEqual(state.dailyBudgetNanoUsd, fromUsd(3))
    })
  })
})
