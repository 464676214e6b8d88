import { Clock, Context, Effect, Layer, type Metric } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { CostTracker } from "../costs/CostTracker.ts"
import { AlertRules } from "../events/AlertRules.ts"
import { Events } from "../events/Events.ts"
import { TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { makeGauges, type State } from "./Gauges.ts"
import { Instruments } from "./Instruments.ts"
import { makeMeters } from "./Meters.ts"
import { type Sample, Series, type Step, stepMillis } from "./Series.ts"
import { TenantSeries } from "./TenantSeries.ts"

export { type Step, stepMillis } from "./Series.ts"

const sampleOf = ({ limiter: { inFlight, limit, queue, used } }: State): Sample => ({
  queued: queue.length,
  oldestMillis: Math.max(0, queue.oldestMillis),
  inFlight,
  used,
  limit
})

/** Adds up what the events tell and what the rooms say of themselves: for charts, for scrapers, for exporters. */
export class Monitor extends Context.Service<
  Monitor,
  {
    /** The last hour in steps of ten seconds, oldest first, the current one last. */
    readonly series: Effect.Effect<ReadonlyArray<Step>>
    /** The same of one tenant's requests, for the last fifty tenants that asked; queue and limit are everybody's. */
    readonly seriesOf: (tenant: string) => Effect.Effect<ReadonlyArray<Step>>
    /** Everything in Prometheus' text format, as of now. */
    readonly exposition: Effect.Effect<string>
    /** The same for exporters; what the rooms say is at most ten seconds old there. */
    readonly registry: Metric.MetricRegistry
  }
>()("sluice/observability/Monitor") {
  /** Needs Events, AlertRules, ModelCatalog and the rooms it looks at. */
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const rooms = {
        alerts: yield* AlertRules,
        cache: yield* ResponseCache,
        costs: yield* CostTracker,
        limiter: yield* TokenRateLimiter
      }
      const started = yield* Clock.currentTimeMillis
      const instruments = new Instruments()
      const meters = makeMeters(instruments, yield* ModelCatalog)
      const look = yield* makeGauges(instruments, rooms, started)
      const series = new Series(started)
      const tenants = new TenantSeries()
      yield* (yield* Events).watch(({ at, event }) => {
        meters.feed(event)
        series.feed(event, at)
        if (event._tag === "Usage") tenants.feed(event, at)
      })
      const sample = Effect.map(Effect.all([look, Clock.currentTimeMillis]), ([state, now]) =>
        series.sample(sampleOf(state), now)
      )
      // A room that cannot say how it is does not end the measuring.
      const measured = Effect.catchCause(sample, () => Effect.void)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(measured, Effect.sleep(stepMillis))))
      return Monitor.of({
        series: Effect.map(Clock.currentTimeMillis, (now) => series.points(now)),
        seriesOf: (tenant) => Effect.map(Clock.currentTimeMillis, (now) => tenants.points(tenant, series.points(now))),
        exposition: Effect.map(look, () => instruments.exposition()),
        registry: instruments.registry
      })
    })
  )
}
