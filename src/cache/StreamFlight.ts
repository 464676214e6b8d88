import { Context, Deferred, Effect, Fiber, Scope, Stream } from "effect"
import { Broadcast, type BroadcastOptions } from "./Broadcast.ts"
import type { CoalesceOptions } from "./SingleFlight.ts"

/** What a stream begins with (response headers), and its events. */
export interface Opened<H, A, E> {
  readonly head: H
  readonly events: Stream.Stream<A, E>
}

export interface CoalescedStream<H, A, E> extends Opened<H, A, E> {
  /** True for a follower: somebody else's stream is heard. */
  readonly coalesced: boolean
}

export interface StreamFlight {
  readonly run: <H, A, E, R>(
    key: string,
    open: Effect.Effect<Opened<H, A, E>, E, R>,
    options?: CoalesceOptions<E>
  ) => Effect.Effect<CoalescedStream<H, A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope>
}

type AnyBroadcast = Broadcast<unknown, unknown, unknown>

const produce = <H, A, E, R>(broadcast: Broadcast<H, A, E>, open: Effect.Effect<Opened<H, A, E>, E, R>) =>
  open.pipe(
    Effect.tap(({ head }) => Deferred.succeed(broadcast.head, head)),
    Effect.flatMap(({ events }) => Stream.runForEachArray(events, broadcast.push)),
    Effect.scoped,
    Effect.onExit((exit) => Effect.sync(() => broadcast.end(exit))),
    Effect.exit,
    Effect.asVoid
  )

/**
 * Opens identical streams once. The upstream stream is read in a fiber of its own and all members hear all of it; it is
 * aborted when the last member's scope closes. A stream longer than `kept.bound` goes on at the pace of its slowest
 * member, and the next identical request opens its own.
 */
export const makeStreamFlight = (onFollower: () => void, kept: BroadcastOptions): StreamFlight => {
  const flights = new Map<string, AnyBroadcast>()

  const forget = (key: string, broadcast: AnyBroadcast): void => {
    if (flights.get(key) === broadcast) flights.delete(key)
  }

  /** Becomes a member of the running broadcast, or of a new one that is started. */
  const join = <H, A, E, R>(
    key: string,
    open: Effect.Effect<Opened<H, A, E>, E, R>,
    context: Context.Context<Exclude<R, Scope.Scope>>
  ) => {
    // Kept by key without its types: one request is always opened by the same kind of effect.
    const running = flights.get(key) as unknown as Broadcast<H, A, E> | undefined
    if (running !== undefined) {
      onFollower()
      return { broadcast: running, member: running.join(), coalesced: true }
    }
    const end = () => forget(key, anonymous)
    const broadcast = new Broadcast<H, A, E>(kept, end)
    const anonymous = broadcast as unknown as AnyBroadcast
    const member = broadcast.join()
    flights.set(key, anonymous)
    broadcast.fiber = Effect.runForkWith(context)(Effect.ensuring(produce(broadcast, open), Effect.sync(end)))
    return { broadcast, member, coalesced: false }
  }

  const run = <H, A, E, R>(
    key: string,
    open: Effect.Effect<Opened<H, A, E>, E, R>,
    options?: CoalesceOptions<E>
  ): Effect.Effect<CoalescedStream<H, A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope> | Scope.Scope>) =>
      Effect.uninterruptibleMask((restore) => {
        const { broadcast, coalesced, member } = join(key, open, context)
        const left = Effect.suspend(() => {
          if (!broadcast.leave(member) || broadcast.fiber === undefined) return Effect.void
          forget(key, broadcast as unknown as AnyBroadcast)
          return Fiber.interrupt(broadcast.fiber)
        })
        const heard = Deferred.await(broadcast.head).pipe(
          Effect.map((head) => ({ head, events: broadcast.events(member), coalesced })),
          Effect.catchIf(
            (error) => coalesced && options?.notShared?.(error) === true,
            () => run(key, open, options)
          )
        )
        // Not acquireRelease: its finalizer copies the whole context.
        return Effect.andThen(Scope.addFinalizer(Context.get(context, Scope.Scope), left), restore(heard))
      })
    )

  return { run }
}
