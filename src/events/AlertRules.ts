import { Context, Effect, Layer, Queue } from "effect"
import type { Alert, Event } from "../domain/Event.ts"
import { Settings } from "../Settings.ts"
import { Events } from "./Events.ts"
import { Hysteresis } from "./Hysteresis.ts"
import { allRules, type Rule } from "./rules.ts"

/** An alert that lasts, and since when, in milliseconds since the epoch. */
export interface ActiveAlert {
  readonly at: number
  readonly alert: Alert
}

interface Watch {
  readonly rule: Rule
  readonly level: Hysteresis
  /** What was raised and not cleared yet. */
  raised: ActiveAlert | undefined
}

const keyOf = ({ kind, subject }: Alert): string => `${kind}\n${subject ?? ""}`
const mostActive = 1_000

/** Told once about each conversation, and never over: it does not last. */
const isMomentary = ({ kind }: Alert): boolean => kind === "context_overhead"

/**
 * The rules over a run of events, without effects: feeds each event to every rule and answers what crossed. Rooms that
 * know better raise alerts of their own (the limiter, the cost tracker); while one of the same kind lasts, a rule keeps quiet.
 */
export class Alerting {
  private readonly watches: ReadonlyArray<Watch>
  private readonly foreign = new Map<string, ActiveAlert>()

  constructor(rules: ReadonlyArray<Rule>) {
    this.watches = rules.map((rule) => ({ rule, level: new Hysteresis(rule.bounds), raised: undefined }))
  }

  /** Alerts that last, of the rules and of everybody else. */
  get active(): ReadonlyArray<ActiveAlert> {
    return [...this.watches.flatMap(({ raised }) => raised ?? []), ...this.foreign.values()]
  }

  /** What to publish after `event`, which happened `at` (milliseconds since the epoch). */
  feed(event: Event, at: number): ReadonlyArray<Event> {
    if (event._tag === "AlertRaised" || event._tag === "AlertCleared") {
      this.note(event._tag, { at, alert: event.alert })
      return []
    }
    const crossed: Array<Event> = []
    for (const watch of this.watches) {
      const figure = watch.rule.figure(event, at)
      const happened = figure === undefined ? undefined : this.cross(watch, figure, at)
      if (happened !== undefined) crossed.push(happened)
    }
    return crossed
  }

  private cross(watch: Watch, figure: number, at: number): Event | undefined {
    const { rule } = watch
    const crossing = watch.level.update(figure)
    if (crossing === undefined) return undefined
    const alert = { kind: rule.kind, severity: rule.severity, message: rule.message(figure) }
    if (crossing === "cleared") {
      const { raised } = watch
      watch.raised = undefined
      return raised === undefined ? undefined : { _tag: "AlertCleared", alert }
    }
    if ([...this.foreign.values()].some((other) => other.alert.kind === rule.kind)) return undefined
    watch.raised = { at, alert }
    return { _tag: "AlertRaised", alert }
  }

  private note(tag: "AlertRaised" | "AlertCleared", { alert, at }: ActiveAlert): void {
    if (isMomentary(alert) || this.watches.some(({ raised }) => raised?.alert === alert)) return
    const key = keyOf(alert)
    if (tag === "AlertCleared") this.foreign.delete(key)
    else if (this.foreign.size < mostActive) this.foreign.set(key, { at: this.foreign.get(key)?.at ?? at, alert })
  }
}

/** Watches the events and raises alerts on what they add up to: one event when it begins, one when it ends. */
export class AlertRules extends Context.Service<
  AlertRules,
  {
    /** Alerts that last, whoever raised them. */
    readonly active: Effect.Effect<ReadonlyArray<ActiveAlert>>
  }
>()("sluice/events/AlertRules") {
  static readonly make = Effect.fnUntraced(function* (rules: ReadonlyArray<Rule>) {
    const events = yield* Events
    const alerting = new Alerting(rules)
    const crossed = yield* Queue.sliding<Event>(mostActive)
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(crossed), events.publish)))
    yield* events.watch(({ at, event }) => {
      for (const happened of alerting.feed(event, at)) Queue.offerUnsafe(crossed, happened)
    })
    return AlertRules.of({ active: Effect.sync(() => alerting.active) })
  })

  /** Thresholds as asked for: docs/configuration.md. Needs Settings and Events. */
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const { costAlertThresholdUsd, costTimeZone } = yield* Settings
      return yield* AlertRules.make(allRules({ costThresholdUsd: costAlertThresholdUsd, timeZone: costTimeZone }))
    })
  )
}
