import { type Cause, Clock, Context, Effect, Layer, Queue, type Scope, Stream } from "effect"
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
    /** `listen` for some events only: the others cost the listener nothing. */
    readonly listenFor: (
      wanted: (event: Event) => boolean
    ) => Effect.Effect<Stream.Stream<Sequenced>, never, Scope.Scope>
    /** Calls `note` for every event, before `publish` returns: for what takes a microsecond and cannot throw. */
    readonly watch: (note: (event: Sequenced) => void) => Effect.Effect<void, never, Scope.Scope>
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
    const ring = new Ring(options.kept)
    const listeners = new Set<Listener>()
    const notes = new Set<(event: Sequenced) => void>()
    const ends = ({ queue }: Listener) => Queue.endUnsafe(queue)
    yield* Effect.addFinalizer(() => Effect.sync(() => listeners.forEach(ends)))

    const listenFor = Effect.fnUntraced(function* (wanted: Listener["wanted"]) {
      const listener = { wanted, queue: yield* Queue.sliding<Sequenced, Cause.Done>(options.perListener) }
      yield* joined(listeners, listener)
      return Stream.fromQueue(listener.queue)
    })
    const listen = listenFor(() => true)

    const publish = (event: Event, at: number): void => {
      const entry = ring.push(event, at)
      for (const { queue, wanted } of listeners) if (wanted(event)) Queue.offerUnsafe(queue, entry)
      for (const note of notes) note(entry)
    }

    return Events.of({
      publish: (event) =>
        Clock.clockWith((clock) => {
          publish(event, clock.currentTimeMillisUnsafe())
          return Effect.void
        }),
      stream: Stream.unwrap(Effect.map(listen, (live) => Stream.map(live, ({ event }) => event))),
      listen,
      listenFor,
      watch: (note) => joined(notes, note),
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

interface Listener {
  readonly queue: Queue.Queue<Sequenced, Cause.Done>
  readonly wanted: (event: Event) => boolean
}

/** A member until the scope closes. */
const joined = <A>(members: Set<A>, member: A): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => members.add(member)),
      () => Effect.sync(() => members.delete(member))
    )
  )

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
