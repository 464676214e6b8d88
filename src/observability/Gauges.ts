import { Effect } from "effect"
import type { CacheStats, ResponseCache } from "../cache/ResponseCache.ts"
import type { CostState, CostTracker } from "../costs/CostTracker.ts"
import { toUsd } from "../domain/Money.ts"
import type { AlertRules } from "../events/AlertRules.ts"
import type { LimiterStats, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { version } from "../version.ts"
import { gauges, totals } from "./catalogue.ts"
import type { Instruments } from "./Instruments.ts"

export interface Rooms {
  readonly alerts: AlertRules["Service"]
  readonly cache: ResponseCache["Service"]
  readonly costs: CostTracker["Service"]
  readonly limiter: TokenRateLimiter["Service"]
}

export interface State {
  limiter: LimiterStats
  cache: CacheStats
  costs: CostState
  alerts: number
}

const look = ({ alerts, cache, costs, limiter }: Rooms): Effect.Effect<State> =>
  Effect.map(
    Effect.all([limiter.stats, cache.stats, costs.state, alerts.active]),
    ([limiterStats, cacheStats, costState, active]) => ({
      limiter: limiterStats,
      cache: cacheStats,
      costs: costState,
      alerts: active.length
    })
  )

const ofLimiter = (instruments: Instruments, state: State): void => {
  instruments.gauge(gauges.queueLength, () => state.limiter.queue.length)
  instruments.gauge(gauges.queueOldest, () => state.limiter.queue.oldestMillis / 1_000)
  instruments.gauge(gauges.inFlight, () => state.limiter.inFlight)
  instruments.gauge(gauges.maxInFlight, () => state.limiter.maxInFlight)
  instruments.gauge(gauges.used, () => state.limiter.used)
  instruments.gauge(gauges.limit, () => state.limiter.limit)
}

const ofCache = (instruments: Instruments, state: State): void => {
  instruments.gauge(gauges.cacheEntries, () => state.cache.entries)
  instruments.gauge(gauges.cacheSize, () => state.cache.bytes)
  instruments.gauge(gauges.cacheLimit, () => state.cache.maxBytes)
  instruments.total(totals.hits, () => state.cache.hits)
  instruments.total(totals.misses, () => state.cache.misses)
  instruments.total(totals.evictions, () => state.cache.evictions)
  instruments.total(totals.expirations, () => state.cache.expirations)
  instruments.total(totals.coalesced, () => state.cache.coalesced)
}

const ofCosts = (instruments: Instruments, state: State): void => {
  instruments.gauge(gauges.costToday, () => toUsd(state.costs.today.costNanoUsd))
  instruments.gauge(gauges.costReserved, () => toUsd(state.costs.reservedNanoUsd))
  instruments.gauge(gauges.costThreshold, () => toUsd(state.costs.thresholdNanoUsd))
  instruments.gauge(gauges.paused, () => (state.costs.paused ? 1 : 0))
}

const ofProcess = (instruments: Instruments, startedMillis: number): void => {
  instruments.gauge(gauges.memory, () => process.memoryUsage.rss())
  instruments.gauge(gauges.started, () => startedMillis / 1_000)
  instruments.gauge(gauges.build, () => 1, { version })
  instruments.total(totals.cpu, () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1e6
  })
}

/** What the rooms say of themselves, as of the last look; answers how to look again. */
export const makeGauges = Effect.fnUntraced(function* (instruments: Instruments, rooms: Rooms, startedMillis: number) {
  const state = yield* look(rooms)
  instruments.gauge(gauges.alertsActive, () => state.alerts)
  ofLimiter(instruments, state)
  ofCache(instruments, state)
  ofCosts(instruments, state)
  ofProcess(instruments, startedMillis)
  return Effect.map(look(rooms), (now): State => Object.assign(state, now))
})
