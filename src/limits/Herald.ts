import { Effect, Latch } from "effect"
import type { Alert, Event } from "../domain/Event.ts"
import { type Bounds, Hysteresis } from "../events/Hysteresis.ts"
import type { LimiterStats } from "./Reservation.ts"

/** Tells the world what the limiter does: at most once a second, and once per crossing of the warning level. */
export interface Herald {
  /** To be called on every change; costs next to nothing. */
  readonly changed: () => void
  /** Runs for as long as the limiter does. */
  readonly run: Effect.Effect<never>
}

/** Percent of a limit. */
export const warningAt: Bounds = { raise: 85, clear: 75 }

const percentOf = (used: number, limit: number | null): number => (limit === null ? 0 : (used / limit) * 100)

const group = new Intl.NumberFormat("en-US")

const warning = ({ limit, outputLimit, outputUsed, percent, used }: LimiterStats): Alert => {
  const output = percentOf(outputUsed, outputLimit)
  const [kind, part, whole] = output > percent ? ["Output", outputUsed, outputLimit ?? 0] : ["Input", used, limit]
  return {
    kind: "rate_limit_warning",
    severity: "warning",
    message:
      `${kind} tokens are at ${Math.round(Math.max(output, percent))} % of the limit per minute ` +
      `(${group.format(part)} of ${group.format(whole)}); requests that do not fit wait in the queue.`
  }
}

const eventOf = ({ inFlight, limit, queue, used }: LimiterStats): Event => ({
  _tag: "Limiter",
  used,
  limit,
  queued: queue.length,
  inFlight,
  oldestMillis: queue.oldestMillis
})

export const makeHerald = (
  stats: Effect.Effect<LimiterStats>,
  publish: (event: Event) => Effect.Effect<void>
): Herald => {
  const news = Latch.makeUnsafe()
  const level = new Hysteresis(warningAt)

  const warn = (now: LimiterStats): Effect.Effect<void> => {
    const crossing = level.update(Math.max(now.percent, percentOf(now.outputUsed, now.outputLimit)))
    if (crossing === undefined) return Effect.void
    return publish({ _tag: crossing === "raised" ? "AlertRaised" : "AlertCleared", alert: warning(now) })
  }

  const tell = Effect.gen(function* () {
    yield* news.await
    news.closeUnsafe()
    const now = yield* stats
    if (now.enabled) yield* warn(now)
    yield* publish(eventOf(now))
    yield* Effect.sleep("1 second")
    // What was admitted leaves the window without anybody doing anything.
    if (now.used > 0 || now.queue.length > 0 || level.active) news.openUnsafe()
  })

  return { changed: () => news.openUnsafe(), run: Effect.forever(tell) }
}
