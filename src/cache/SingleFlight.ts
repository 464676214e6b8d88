import { type Context, Effect, Exit, Fiber } from "effect"

/** One run of an effect, owned by all who wait for it. */
interface Flight<A, E> {
  fiber: Fiber.Fiber<A, E> | undefined
  waiters: number
}

export interface Coalesced<A> {
  readonly value: A
  /** True for a follower: somebody else's run answered. */
  readonly coalesced: boolean
}

export interface CoalesceOptions<E> {
  /** Failures that concern the leader alone (its budget, its deadline): a follower then runs its own effect. */
  readonly notShared?: ((error: E) => boolean) | undefined
}

export interface SingleFlight {
  readonly run: <A, E, R>(
    key: string,
    lead: Effect.Effect<A, E, R>,
    options?: CoalesceOptions<E>
  ) => Effect.Effect<Coalesced<A>, E, R>
}

/**
 * Runs identical work once. The work has a fiber of its own: it goes on while anybody waits for it, whoever began it,
 * and is interrupted when the last one has left. `onFollower` is told of everyone who joins.
 */
export const makeSingleFlight = (onFollower: () => void): SingleFlight => {
  const flights = new Map<string, Flight<unknown, unknown>>()

  const forget = (key: string, flight: Flight<unknown, unknown>): void => {
    if (flights.get(key) === flight) flights.delete(key)
  }

  const launch = <A, E, R>(key: string, lead: Effect.Effect<A, E, R>, context: Context.Context<R>): Flight<A, E> => {
    const flight: Flight<A, E> = { fiber: undefined, waiters: 0 }
    // Registered first: the work may finish before the fork returns.
    flights.set(key, flight)
    flight.fiber = Effect.runForkWith(context)(
      Effect.ensuring(
        lead,
        Effect.sync(() => forget(key, flight))
      )
    )
    return flight
  }

  const leave = <A, E>(key: string, flight: Flight<A, E>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    flight.waiters--
    if (Exit.isSuccess(exit) || flight.waiters > 0 || flight.fiber === undefined) return Effect.void
    forget(key, flight)
    return Fiber.interrupt(flight.fiber)
  }

  const run = <A, E, R>(
    key: string,
    lead: Effect.Effect<A, E, R>,
    options?: CoalesceOptions<E>
  ): Effect.Effect<Coalesced<A>, E, R> =>
    Effect.contextWith((context: Context.Context<R>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          // A key names a request, and one request is always led by the same kind of effect.
          const running = flights.get(key) as Flight<A, E> | undefined
          const coalesced = running !== undefined
          if (coalesced) onFollower()
          const flight = running ?? launch(key, lead, context)
          flight.waiters++
          return restore(flight.fiber === undefined ? lead : Fiber.join(flight.fiber)).pipe(
            Effect.onExit((exit) => leave(key, flight, exit)),
            Effect.map((value) => ({ value, coalesced })),
            Effect.catchIf(
              (error) => coalesced && options?.notShared?.(error) === true,
              () => restore(run(key, lead, options))
            )
          )
        })
      )
    )

  return { run }
}
