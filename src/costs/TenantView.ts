import { Effect } from "effect"
import { nanoUsd } from "../domain/Money.ts"
import { percentOf } from "./Books.ts"
import type { Desk } from "./Desk.ts"
import { clean } from "./Entries.ts"
import type { CostState, LedgerError } from "./Records.ts"

const everyDay = ["0000-01-01", "9999-12-31"] as const

/** The state as one tenant may see it: its own figures and budget, and whether its requests are refused. */
export const stateFor =
  ({ books, ledger, now, options, shelf, tell }: Desk) =>
  (name: string): Effect.Effect<CostState, LedgerError> =>
    Effect.gen(function* () {
      const tenant = clean(name)
      const { day } = yield* now
      const read = (from: string, to: string) =>
        Effect.map(Effect.andThen(shelf.clear, ledger.report(from, to, 1, tenant)), ({ total }) => total)
      const today = books.today.ofTenant(tenant) ?? (yield* read(day.name, day.name))
      const total = books.tenants.of(tenant) ?? (yield* read(...everyDay))
      const limit = books.budgets.tenantLimit(tenant)
      return {
        enabled: true,
        day: day.name,
        today,
        total,
        reservedNanoUsd: nanoUsd(books.reservedBy(tenant)),
        thresholdNanoUsd: options.threshold,
        thresholdPercent: percentOf(today.costNanoUsd, options.threshold),
        dailyBudgetNanoUsd: limit,
        sharedBudget: options.enforced && options.dailyBudget !== null,
        paused:
          options.enforced &&
          (books.paused !== null || books.budgets.isExhausted || books.budgets.isTenantExhausted(tenant)),
        resetsAt: day.end,
        unwritten: 0
      }
    }).pipe(Effect.tap(tell))
