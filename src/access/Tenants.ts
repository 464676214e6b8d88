import { Context } from "effect"
import type { NanoUsd } from "../domain/Money.ts"

/** What is known of tenants besides their names; asked at every request, so it answers at once. */
export interface TenantsShape {
  /** Weight in the fair queue. */
  readonly share: (tenant: string) => number
  /** The tenant's own limit a day, if it has one. */
  readonly dailyBudget: (tenant: string) => NanoUsd | null
}

/** Whoever shares or limits something between tenants asks here. Everybody is equal and unlimited unless tokens say otherwise. */
export const Tenants = Context.Reference<TenantsShape>("sluice/access/Tenants", {
  defaultValue: () => ({ share: () => 1, dailyBudget: () => null })
})
