import { Context, type Effect, type Stream } from "effect"
import type { Event } from "../domain/Event.ts"

/** Everything that happens, to whoever listens. Publishing never waits and never fails; a slow listener loses the oldest. */
export class Events extends Context.Service<
  Events,
  {
    readonly publish: (event: Event) => Effect.Effect<void>
    /** Events from now on. Bounded per listener (sliding). */
    readonly stream: Stream.Stream<Event>
  }
>()("sluice/events/Events") {}
