import type { Admission } from "./Admission.ts"
import type { LimiterStats } from "./Reservation.ts"

export const limiterStats = (admission: Admission, now: number): LimiterStats => {
  const { backlog, input, limits, output, pools, requests } = admission
  const used = input.used(now)
  return {
    enabled: limits.enforced,
    used,
    limit: limits.inputPerMinute,
    percent: Math.round((used / limits.inputPerMinute) * 1_000) / 10,
    resetsInMillis: Math.ceil(input.resetsAt(now) - now),
    outputUsed: output.used(now),
    outputLimit: limits.outputPerMinute,
    requestsUsed: requests.used(now),
    requestsLimit: limits.requestsPerMinute,
    inFlight: admission.inFlight,
    maxInFlight: limits.maxInFlight,
    queue: {
      length: backlog.waiting,
      oldestMillis: Math.floor(now - (backlog.oldestAt() ?? now)),
      expectedWaitMillis: admission.expectedWait(now),
      byPriority: Object.fromEntries(backlog.levels.map((level) => [level.priority, level.waiting]))
    },
    classes: [...pools.classes].map(([modelClass, pool]) => ({
      modelClass,
      inputLimit: pool.inputLimit ?? null,
      inputRemaining: pool.inputRemaining(now) ?? null,
      pausedMillis: Math.max(0, Math.ceil(pool.pausedUntil - now))
    }))
  }
}
