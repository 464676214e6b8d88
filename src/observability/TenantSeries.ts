import { LRUCache } from "lru-cache"
import type { Event } from "../domain/Event.ts"
import { emptyStep, Series, type Step, stepMillis } from "./Series.ts"

/** Tenants whose last hour is kept: those that asked last. */
const kept = 50

/** The last hour of each tenant by itself. Bounded; O(1) an event. */
export class TenantSeries {
  private readonly tenants = new LRUCache<string, Series>({ max: kept })

  feed(event: Extract<Event, { readonly _tag: "Usage" }>, at: number): void {
    const known = this.tenants.get(event.tenant)
    const series = known ?? new Series(at)
    if (known === undefined) this.tenants.set(event.tenant, series)
    series.feed(event, at)
  }

  /** The tenant's figures at the points of everybody's, whose queue and limit are everybody's. */
  points(tenant: string, everybody: ReadonlyArray<Step>): ReadonlyArray<Step> {
    const last = everybody.at(-1)?.at ?? 0
    const own = new Map(
      this.tenants
        .get(tenant)
        ?.points(last + stepMillis - 1)
        .map((step) => [step.at, step])
    )
    return everybody.map(({ at, inFlight, limit, oldestMillis, queued, used }) => ({
      ...(own.get(at) ?? emptyStep(at, limit)),
      inFlight,
      limit,
      oldestMillis,
      queued,
      used
    }))
  }
}
