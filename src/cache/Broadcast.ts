import { Array as Arr, Cause, Deferred, Effect, Exit, type Fiber, Stream } from "effect"

/** Somebody who hears a broadcast. */
export interface Member {
  /** How many events it has taken, counted from the stream's start. */
  position: number
}

export interface BroadcastOptions {
  /** How much is kept, as `weigh` counts it. */
  readonly bound: number
  /** What one event counts; each counts 1 by default. */
  readonly weigh?: ((event: unknown) => number) | undefined
}

const one = (): number => 1

/**
 * One stream, heard by all its members from the first event on, each in its own time. It keeps about `bound` at most:
 * beyond that `onFull` is called, and what every member has taken is dropped before more is taken in.
 */
export class Broadcast<H, A, E> {
  readonly head = Deferred.makeUnsafe<H, E>()
  readonly members = new Set<Member>()
  fiber: Fiber.Fiber<void> | undefined
  private log: Array<A> = []
  private dropped = 0
  private weight = 0
  private ended: Exit.Exit<void, E> | undefined
  private readonly hungry = new Set<() => void>()
  private roomMade: (() => void) | undefined
  private readonly bound: number
  private readonly weigh: (event: unknown) => number
  private readonly onFull: () => void

  constructor({ bound, weigh = one }: BroadcastOptions, onFull: () => void) {
    this.bound = bound
    this.weigh = weigh
    this.onFull = onFull
  }

  join(): Member {
    const member: Member = { position: 0 }
    this.members.add(member)
    return member
  }

  /** Answers whether nobody is left. */
  leave(member: Member): boolean {
    this.members.delete(member)
    this.roomMade?.()
    return this.members.size === 0
  }

  /** Adds events, and waits while the slowest member is `bound` behind. */
  readonly push = (events: ReadonlyArray<A>): Effect.Effect<void> =>
    Effect.suspend(() => {
      for (const event of events) {
        this.log.push(event)
        this.weight += this.weigh(event)
      }
      this.feed()
      return this.hasRoom() ? Effect.void : this.awaitRoom
    })

  end(exit: Exit.Exit<void, E>): void {
    this.ended = exit
    if (Exit.isFailure(exit)) Deferred.doneUnsafe(this.head, Exit.failCause(exit.cause))
    this.feed()
  }

  /** What is left for this member; it can be run once. */
  readonly events = (member: Member): Stream.Stream<A, E> => {
    const pull = this.take(member)
    // The pull's `Done` is the stream's end; TypeScript cannot take it off an E that is still open.
    return Stream.fromPull(Effect.succeed(pull)) as Stream.Stream<A, E>
  }

  private readonly take = (member: Member): Effect.Effect<Arr.NonEmptyReadonlyArray<A>, E | Cause.Done> =>
    Effect.suspend(() => {
      const events = this.log.slice(member.position - this.dropped)
      if (Arr.isReadonlyArrayNonEmpty(events)) {
        member.position += events.length
        this.roomMade?.()
        return Effect.succeed(events)
      }
      if (this.ended === undefined) return Effect.andThen(this.awaitMore(member), this.take(member))
      return Exit.isSuccess(this.ended) ? Cause.done() : Effect.failCause(this.ended.cause)
    })

  private feed(): void {
    const members = [...this.hungry]
    this.hungry.clear()
    for (const wake of members) wake()
  }

  private readonly awaitMore = (member: Member): Effect.Effect<void> =>
    Effect.callback((resume) => {
      if (this.ended !== undefined || this.dropped + this.log.length > member.position) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      this.hungry.add(wake)
      return Effect.sync(() => this.hungry.delete(wake))
    })

  private hasRoom(): boolean {
    if (this.weight < this.bound) return true
    this.onFull()
    let slowest = this.dropped + this.log.length
    for (const member of this.members) slowest = Math.min(slowest, member.position)
    for (let at = 0; at < slowest - this.dropped; at++) this.weight -= this.weigh(this.log[at])
    this.log = this.log.slice(slowest - this.dropped)
    this.dropped = slowest
    return this.weight < this.bound
  }

  private readonly awaitRoom: Effect.Effect<void> = Effect.callback((resume) => {
    const check = () => {
      if (!this.hasRoom()) return
      this.roomMade = undefined
      resume(Effect.void)
    }
    this.roomMade = check
    check()
  })
}
