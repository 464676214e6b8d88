import type { Alert, Alerts, CostMetrics, Event, TokenMetrics } from "../api/types.ts"

const keyOf = ({ kind, subject }: Alert): string => `${kind}\n${subject ?? ""}`

/** Alerts that last, as the server tells it. */
export const lasting = ({ active }: Alerts): ReadonlyMap<string, Alert> =>
  new Map(active.map(({ alert }) => [keyOf(alert), alert]))

/** Alerts that were raised and not cleared, as the events tell it. Bounded by the kinds and subjects there are. */
export const applyAlert = (active: ReadonlyMap<string, Alert>, event: Event): ReadonlyMap<string, Alert> => {
  if (event._tag === "AlertRaised") return new Map(active).set(keyOf(event.alert), event.alert)
  if (event._tag === "AlertCleared" || event._tag === "BudgetResumed") {
    const next = new Map(active)
    if (event._tag === "AlertCleared") next.delete(keyOf(event.alert))
    else for (const [key, { kind }] of active) if (kind === "budget_paused") next.delete(key)
    return next
  }
  return active
}

/** What the figures themselves say: what was reached before a restart of the server is not raised again. */
export const evident = (tokens: TokenMetrics | undefined, costs: CostMetrics | undefined): ReadonlyArray<Alert> => {
  const alerts: Array<Alert> = []
  const used = tokens?.currentMinute.percent ?? 0
  if (used >= 85) {
    const message = `Input tokens are at ${Math.round(used)} % of the limit per minute; more will wait in the queue.`
    alerts.push({ kind: "rate_limit_warning", severity: "warning", message })
  }
  if (costs?.paused === true) {
    const message = "Spending is paused: requests are refused. Raise the budget, resume, or wait for the new day."
    alerts.push({ kind: "budget_paused", severity: "critical", message })
  }
  const spent = costs?.percent ?? 0
  if (spent >= 90) {
    const advice = costs?.budget === null && !costs.sharedBudget ? " Set a budget to stop it." : ""
    const message = `Today's cost is at ${Math.round(spent)} % of COST_ALERT_THRESHOLD_USD.${advice}`
    alerts.push({ kind: "cost_threshold", severity: spent >= 100 ? "critical" : "warning", message })
  }
  return alerts
}

const weight = { critical: 0, warning: 1, info: 2 } as const

/** Both, the gravest first; what an event told wins over what is evident, because it says more. */
export const merged = (told: ReadonlyMap<string, Alert>, seen: ReadonlyArray<Alert>): ReadonlyArray<Alert> => {
  const kinds = new Set([...told.values()].map(({ kind }) => kind))
  const all = [...told.values(), ...seen.filter(({ kind }) => !kinds.has(kind))]
  return all.toSorted((a, b) => weight[a.severity] - weight[b.severity])
}

const names: Readonly<Record<Alert["kind"], string>> = {
  rate_limit_warning: "Approaching the rate limit",
  cost_threshold: "Cost threshold",
  budget_paused: "Budget paused",
  cache_hit_rate_low: "Low cache hit rate",
  context_trimmed_often: "Contexts are trimmed often",
  context_overhead: "Large system prompt or tools",
  upstream_errors: "Upstream errors",
  queue_age: "Requests wait long",
  reduction_low: "Little token reduction",
  degraded: "Degraded"
}

export const alertName = (kind: Alert["kind"]): string => names[kind] ?? kind
