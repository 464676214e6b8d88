import { Context, Effect, Layer, Stream } from "effect"
import type { Alert, Event } from "../domain/Event.ts"
import { Settings } from "../Settings.ts"
import { Events, type Sequenced } from "./Events.ts"
import { Hysteresis } from "./Hysteresis.ts"
import { allRules, type Rule } from "./rules.ts"

interface Watch {
  readonly rule: Rule
  readonly level: Hysteresis
  /** What was raised and not cleared yet. */
  raised: Alert | undefined
}

const keyOf = ({ kind, subject }: Alert): string => `${kind}\n${subject ?? ""}`
const mostActive = 1_000

/**
 * The rules over a run of events, without effects: feeds each event to every rule and answers what crossed. Rooms that
 * know better raise alerts of their own (the limiter, the cost tracker); while one of the same kind lasts, a rule keeps quiet.
 */
export class Alerting {
  private readonly watches: ReadonlyArray<Watch>
  private readonly foreign = new Map<string, Alert>()

  constructor(rules: ReadonlyArray<Rule>) {
    this.watches = rules.map((rule) => ({ rule, level: new Hysteresis(rule.bounds), raised: undefined }))
  }

  /** Alerts that last, of the rules and of everybody else. */
  get active(): ReadonlyArray<Alert> {
    return [...this.watches.flatMap(({ raised }) => raised ?? []), ...this.foreign.values()]
  }

  /** What to publish after `event`, which happened `at` (milliseconds since the epoch). */
  feed(event: Event, at: number): ReadonlyArray<Event> {
    if (event._tag === "AlertRaised" || event._tag === "AlertCleared") {
      this.note(event._tag, event.alert)
      return []
    }
    const crossed: Array<Event> = []
    for (const watch of this.watches) {
      const figure = watch.rule.figure(event, at)
      const happened = figure === undefined ? undefined : this.cross(watch, figure)
      if (happened !== undefined) crossed.push(happened)
    }
    return crossed
  }

  private cross(watch: Watch, figure: number): Event | undefined {
    const { rule } = watch
    const crossing = watch.level.update(figure)
    if (crossing === undefined) return undefined
    const alert = { kind: rule.kind, severity: rule.severity, message: rule.message(figure) }
    if (crossing === "cleared") {
      const { raised } = watch
      watch.raised = undefined
      return raised === undefined ? undefined : { _tag: "AlertCleared", alert }
    }
    if ([...this.foreign.values()].some(({ kind }) => kind === rule.kind)) return undefined
    watch.raised = alert
    return { _tag: "AlertRaised", alert }
  }

  private note(tag: "AlertRaised" | "AlertCleared", alert: Alert): void {
    if (this.watches.some(({ raised }) => raised === alert)) return
    if (tag === "AlertCleared") this.foreign.delete(keyOf(alert))
    else if (this.foreign.size < mostActive) this.foreign.set(keyOf(alert), alert)
  }
}

/** Watches the events and raises alerts on what they add up to: one event when it begins, one when it ends. */
export class AlertRules extends Context.Service<
  AlertRules,
  {
    /** Alerts that last, whoever raised them. */
    readonly active: Effect.Effect<ReadonlyArray<Alert>>
  }
>()("sluice/events/AlertRules") {
  static readonly make = Effect.fnUntraced(function* (rules: ReadonlyArray<Rule>) {
    const events = yield* Events
    const alerting = new Alerting(rules)
    const watch = ({ at, event }: Sequenced) =>
      Effect.forEach(alerting.feed(event, at), events.publish, { discard: true })
    const live = yield* events.listen
    yield* Effect.forkScoped(Stream.runForEach(live, watch))
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
