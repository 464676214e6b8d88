import type { Series } from "../api/series.ts"
import type { Money, TotalsOf } from "../api/types.ts"

type Spent = Pick<TotalsOf, "key" | "cost">

/** What one tenant or agent spent, and its part of everything spent, from 0 to 1. */
export interface Spender extends Spent {
  readonly part: number
}

const most = 5

/** The sum of those that a report has no room for. */
const rest = "(other)"

/** The dearest few of those that cost anything, dearest first. */
const dearest = (rows: ReadonlyArray<Spent>, totalNanoUsd: number): ReadonlyArray<Spender> =>
  rows
    .filter(({ cost, key }) => cost.nanoUsd > 0 && key !== rest)
    .toSorted((a, b) => b.cost.nanoUsd - a.cost.nanoUsd)
    .slice(0, most)
    .map((row) => ({ ...row, part: totalNanoUsd > 0 ? row.cost.nanoUsd / totalNanoUsd : 0 }))

interface Day {
  readonly today: { readonly cost: Money }
  readonly byTenant: ReadonlyArray<Spent>
  readonly byAgent: ReadonlyArray<Spent>
}

/** Who spends today: tenants where there are several, and agents. */
export const spendersOf = ({ byAgent, byTenant, today }: Day) =>
  [
    { name: "Tenant", rows: byTenant.length > 1 ? dearest(byTenant, today.cost.nanoUsd) : [] },
    { name: "Agent", rows: dearest(byAgent, today.cost.nanoUsd) }
  ].filter(({ rows }) => rows.length > 0)

const paceSteps = 30
const secondsAStep = 10

export interface Pace {
  readonly usdPerHour: number
  /** Whole minutes that it was measured over. */
  readonly minutes: number
}

/** Dollars an hour, at the pace of the last five minutes, or of fewer after a start; nothing within the first minute. */
export const paceOf = ({ columns }: Series): Pace | undefined => {
  const steps = columns.cost.slice(-paceSteps)
  const minutes = Math.floor((steps.length * secondsAStep) / 60)
  if (minutes === 0) return undefined
  const last = steps.slice((-minutes * 60) / secondsAStep)
  const spent = last.reduce<number>((sum, usd) => sum + (usd ?? 0), 0)
  return { usdPerHour: (spent / minutes) * 60, minutes }
}
