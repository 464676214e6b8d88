import type { CostGroup, CostReport, CostTotals, LedgerEntry } from "./Records.ts"
import { minus, noTotals, plus, totalsOf } from "./Totals.ts"

const rest = "(other)"

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

/** In order of their keys. */
export const byKey = (a: CostGroup, b: CostGroup): number => compareText(a.key, b.key)

const isRest = (group: CostGroup): number => (group.key === rest ? 1 : 0)

/** Dearest first, `(other)` last. */
export const dearestFirst = (a: CostGroup, b: CostGroup): number =>
  isRest(a) - isRest(b) || b.costNanoUsd - a.costNanoUsd || byKey(a, b)

/** The dearest `limit` groups, and the others added up. */
const bounded = (groups: Array<CostGroup>, limit: number): ReadonlyArray<CostGroup> => {
  const sorted = groups.sort(dearestFirst)
  const others = sorted.slice(limit)
  if (others.length === 0) return sorted
  return [...sorted.slice(0, limit), { ...others.reduce(plus, noTotals), key: rest }]
}

const keyOf = {
  byDay: (entry: LedgerEntry) => entry.day,
  byModel: (entry: LedgerEntry) => entry.model,
  byAgent: (entry: LedgerEntry) => entry.agent,
  byTenant: (entry: LedgerEntry) => entry.tenant,
  byConversation: (entry: LedgerEntry) => entry.conversation ?? "(none)"
} as const

type Dimension = keyof typeof keyOf
const dimensions: ReadonlyArray<Dimension> = ["byDay", "byModel", "byAgent", "byTenant", "byConversation"]

/** Sums by every kind of group, kept while rows come in: O(1) a row, at most `capacity` groups of a kind. */
export class Groups {
  total: CostTotals = noTotals
  private readonly capacity: number
  private readonly sums: Readonly<Record<Dimension, Map<string, CostTotals>>> = {
    byDay: new Map(),
    byModel: new Map(),
    byAgent: new Map(),
    byTenant: new Map(),
    byConversation: new Map()
  }

  constructor(capacity: number) {
    this.capacity = capacity
  }

  add(entry: LedgerEntry): void {
    this.change(entry, plus)
  }

  /** Takes a row out that was added. */
  remove(entry: LedgerEntry): void {
    this.change(entry, minus)
  }

  /** Takes over what a report tells. */
  load(report: CostReport): void {
    this.total = report.total
    for (const dimension of dimensions) {
      for (const { key, ...totals } of report[dimension]) this.sums[dimension].set(key, totals)
    }
  }

  /** One tenant's sums; undefined where there are too many tenants to know. */
  ofTenant(tenant: string): CostTotals | undefined {
    const sums = this.sums.byTenant
    return sums.get(tenant) ?? (sums.has(rest) ? undefined : noTotals)
  }

  report(from: string, to: string, limit: number): CostReport {
    const groups = (dimension: Dimension): Array<CostGroup> =>
      [...this.sums[dimension]]
        .filter(([, totals]) => totals.requests > 0 || totals.costNanoUsd !== 0)
        .map(([key, totals]) => ({ ...totals, key }))
    return {
      from,
      to,
      total: this.total,
      byDay: groups("byDay").sort(byKey),
      byModel: bounded(groups("byModel"), limit),
      byAgent: bounded(groups("byAgent"), limit),
      byTenant: bounded(groups("byTenant"), limit),
      byConversation: bounded(groups("byConversation"), limit)
    }
  }

  private change(entry: LedgerEntry, combine: (a: CostTotals, b: CostTotals) => CostTotals): void {
    const totals = totalsOf(entry)
    this.total = combine(this.total, totals)
    for (const dimension of dimensions) {
      const sums = this.sums[dimension]
      const wanted = keyOf[dimension](entry)
      const key = sums.has(wanted) || sums.size < this.capacity ? wanted : rest
      sums.set(key, combine(sums.get(key) ?? noTotals, totals))
    }
  }
}
