import type { Alert, Event } from "../../domain/Event.ts"

/** About what everybody shares; their messages tell nobody's figures but those of the shared rate limit. */
const shared: ReadonlySet<Alert["kind"]> = new Set(["rate_limit_warning", "queue_age", "upstream_errors"])

/** Stops everybody, and every refusal says so. */
const stopsAll: ReadonlySet<string> = new Set(["pause", "daily budget"])

const isOwn = (subject: string, tenant: string): boolean =>
  subject === `tenant ${tenant}` || subject.startsWith(`agent ${tenant}/`)

/** Whether an alert concerns this tenant; null: everybody's do. */
export const concerns = ({ kind, subject }: Alert, tenant: string | null): boolean => {
  if (tenant === null || shared.has(kind)) return true
  if (subject === undefined) return false
  return isOwn(subject, tenant) || (kind === "budget_paused" && stopsAll.has(subject))
}

/** Other tenants' requests, conversations and budgets are nobody's business. */
export const visible = (event: Event, tenant: string | null): boolean => {
  if (tenant === null) return true
  switch (event._tag) {
    case "Usage":
      return event.tenant === tenant
    case "AlertRaised":
    case "AlertCleared":
      return concerns(event.alert, tenant)
    case "Limiter":
    case "CacheCleared":
    case "BudgetResumed":
      return true
    // They name a conversation or a budget, not whose it is; the alerts say what concerns this tenant.
    case "BudgetPaused":
    case "Compaction":
    case "PromptCacheMiss":
      return false
  }
}
