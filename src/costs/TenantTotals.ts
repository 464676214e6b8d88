import type { CostGroup, CostTotals, LedgerEntry } from "./Records.ts"
import { noTotals, totalsOf } from "./Totals.ts"

/** What each tenant came to since the ledger began, of the first `capacity` tenants: O(1) a row. */
export class TenantTotals {
  private readonly sums = new Map<string, CostTotals>()
  private readonly capacity: number
  private overflowed = false

  constructor(capacity: number) {
    this.capacity = capacity
  }

  load(groups: ReadonlyArray<CostGroup>): void {
    for (const { key, ...totals } of groups) this.set(key, totals)
  }

  /** Combines a row into its tenant's totals. */
  change(entry: LedgerEntry, combine: (a: CostTotals, b: CostTotals) => CostTotals): void {
    this.set(entry.tenant, combine(this.sums.get(entry.tenant) ?? noTotals, totalsOf(entry)))
  }

  /** Undefined where there are too many tenants to know. */
  of(tenant: string): CostTotals | undefined {
    return this.sums.get(tenant) ?? (this.overflowed ? undefined : noTotals)
  }

  private set(tenant: string, totals: CostTotals): void {
    if (this.sums.has(tenant) || this.sums.size < this.capacity) this.sums.set(tenant, totals)
    else this.overflowed = true
  }
}
