import { Cause, Effect, Exit } from "effect"
import type { Alert } from "../domain/Event.ts"
import { Event } from "../domain/Event.ts"
import type { Events } from "../events/Events.ts"

/** Keeps a request alive when something that only helps it breaks down (invariant 8). */
export interface Degraded {
  /**
   * Runs `effect`; whatever breaks inside, `fallback` comes back instead. The operator hears of a component once when it
   * begins to fail (a log line and an `AlertRaised`), and once when it works again. Typed failures pass untouched.
   */
  readonly guard: <A, E>(component: string, effect: () => Effect.Effect<A, E>, fallback: A) => Effect.Effect<A, E>
  /** The same with another way to go on; where there is none (`undefined`), what broke passes on. */
  readonly instead: <A, E>(
    component: string,
    effect: () => Effect.Effect<A, E>,
    otherwise: () => Effect.Effect<A, E> | undefined
  ) => Effect.Effect<A, E>
  /** The same for a plain function. */
  readonly attempt: <A>(component: string, f: () => A, fallback: () => A) => Effect.Effect<A>
}

const alert = (component: string, detail: string): Alert => ({
  kind: "degraded",
  severity: "warning",
  message: `The ${component} fails; requests go on without it. ${detail}`,
  subject: component
})

const begin = <A, E>(effect: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return effect()
  } catch (defect) {
    return Effect.die(defect)
  }
}

export const makeDegraded = (events: Events["Service"]): Degraded => {
  const failing = new Map<string, Alert>()

  const publish = (event: Event): Effect.Effect<void> =>
    Effect.catchCause(
      Effect.suspend(() => events.publish(event)),
      () => Effect.void
    )

  const report = (component: string, detail: string): Effect.Effect<void> => {
    if (failing.has(component)) return Effect.void
    const raised = alert(component, detail)
    failing.set(component, raised)
    return Effect.andThen(Effect.logWarning(raised.message), publish(Event.cases.AlertRaised.make({ alert: raised })))
  }

  const recovered = (component: string): Effect.Effect<void> => {
    const raised = failing.get(component)
    if (raised === undefined) return Effect.void
    failing.delete(component)
    return publish(Event.cases.AlertCleared.make({ alert: raised }))
  }

  const noticed = <A, E>(component: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    failing.has(component) ? Effect.tap(effect, () => recovered(component)) : effect

  /** Only what the room's contract does not announce counts as broken: defects, and interruptions from inside it. */
  const instead: Degraded["instead"] = (component, effect, otherwise) =>
    Effect.suspend(() => {
      const begun = noticed(component, begin(effect))
      // What is done already, and well, needs no watching.
      if (Exit.isExit(begun) && Exit.isSuccess(begun)) return begun
      return Effect.catchCause(begun, (cause) => {
        const other = Cause.hasFails(cause) ? undefined : otherwise()
        if (other === undefined) return Effect.failCause(cause)
        return Effect.andThen(report(component, Cause.pretty(cause).split("\n", 1)[0] ?? ""), other)
      })
    })

  return {
    instead,
    guard: (component, effect, fallback) => instead(component, effect, () => Effect.succeed(fallback)),
    attempt: (component, f, fallback) => {
      try {
        const value = f()
        return failing.has(component) ? Effect.as(recovered(component), value) : Effect.succeed(value)
      } catch (defect) {
        return Effect.map(report(component, String(defect)), fallback)
      }
    }
  }
}
