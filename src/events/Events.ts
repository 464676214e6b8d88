import { Clock, Context, Effect, Layer, PubSub, type Scope, Stream } from "effect"
import type { Event } from "../domain/Event.ts"

/** An event with its place in the process's history: `seq` counts from 1 without gaps, `at` is milliseconds since the epoch. */
export interface Sequenced {
  readonly seq: number
  readonly at: number
  readonly event: Event
}

export interface EventsOptions {
  /** How many events a listener may lag behind before it loses the oldest. */
  readonly perListener: number
  /** How many events are kept for `since`. */
  readonly kept: number
}

/** Everything that happens, to whoever listens. Publishing never waits and never fails; a slow listener loses the oldest. */
export class Events extends Context.Service<
  Events,
  {
    readonly publish: (event: Event) => Effect.Effect<void>
    /** Events from now on. Bounded per listener (sliding). */
    readonly stream: Stream.Stream<Event>
    /** Like `stream`, but the listening has begun when this returns: nothing published afterwards is missed. */
    readonly listen: Effect.Effect<Stream.Stream<Sequenced>, never, Scope.Scope>
    /**
     * What is still kept after `seq`, then events from now on, without gap or repetition. A jump in `seq` tells a
     * listener that it was too slow. A `seq` from before a restart replays everything kept.
     */
    readonly since: (seq: number) => Stream.Stream<Sequenced>
    /** The events kept for `since`, oldest first. */
    readonly recent: Effect.Effect<ReadonlyArray<Sequenced>>
  }
>()("sluice/events/Events") {
  static readonly make = Effect.fnUntraced(function* (options: EventsOptions) {
    const hub = yield* Effect.acquireRelease(PubSub.sliding<Sequenced>(options.perListener), PubSub.shutdown)
    const ring = new Ring(options.kept)
    const listen = Effect.map(PubSub.subscribe(hub), Stream.fromSubscription)

    return Events.of({
      publish: (event) =>
        Clock.clockWith((clock) => PubSub.publish(hub, ring.push(event, clock.currentTimeMillisUnsafe()))),
      stream: Stream.map(Stream.fromPubSub(hub), ({ event }) => event),
      listen,
      since: (seq) =>
        // The subscription comes first and both happen without a pause, so the two parts meet exactly.
        Stream.unwrap(Effect.map(listen, (live) => Stream.concat(Stream.fromIterable(ring.after(seq)), live))),
      recent: Effect.sync(() => ring.after(0))
    })
  })

  static readonly layer = Layer.effect(this, this.make({ perListener: 1024, kept: 1024 }))

  /** Keeps everything a test publishes: read it from `recent`. */
  static readonly layerTest = Layer.effect(this, this.make({ perListener: 65_536, kept: 65_536 }))
}

class Ring {
  private readonly slots: Array<Sequenced> = []
  private readonly size: number
  private last = 0

  constructor(size: number) {
    this.size = size
  }

  push(event: Event, at: number): Sequenced {
    this.last += 1
    const entry = { seq: this.last, at, event }
    this.slots[this.last % this.size] = entry
    return entry
  }

  after(seq: number): ReadonlyArray<Sequenced> {
    const from = seq > this.last ? 0 : seq
    const entries: Array<Sequenced> = []
    for (let n = Math.max(from, this.last - this.size) + 1; n <= this.last; n++) {
      const entry = this.slots[n % this.size]
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }
}
