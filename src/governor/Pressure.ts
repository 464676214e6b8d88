import { Effect } from "effect"
import { CostTracker } from "../costs/CostTracker.ts"
import type { Caller } from "../domain/Caller.ts"
import type { Situation } from "../models/ModelRouter.ts"
import { Settings } from "../Settings.ts"
import type { Degraded } from "./Degraded.ts"

const calm: Situation = {}

/** How much of the daily budget is spent or reserved, for callers who allow a cheaper model because of it. */
export const makePressure = Effect.fnUntraced(function* (degraded: Degraded) {
  const { enabled, modelRouting } = yield* Settings
  const costs = yield* CostTracker

  const measured = Effect.map(costs.state, ({ dailyBudgetNanoUsd, reservedNanoUsd, today }): Situation => {
    if (dailyBudgetNanoUsd === null || dailyBudgetNanoUsd === 0) return calm
    return { budgetPercent: ((today.costNanoUsd + reservedNanoUsd) / dailyBudgetNanoUsd) * 100 }
  })

  return ({ allowCheaper }: Caller): Effect.Effect<Situation> =>
    allowCheaper === true && modelRouting && enabled.budget
      ? degraded.guard("cost tracker (state)", () => measured, calm)
      : Effect.succeed(calm)
})
