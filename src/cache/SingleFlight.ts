import { type Context, Effect, Exit, Fiber } from "effect"

/** One run of an effect, owned by all who wait for it. */
interface Flight<A, E> {
  fiber: Fiber.Fiber<A, E> | undefined
  waiters: number
  readonly keep: (() => boolean) | undefined
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

export interface FlightOptions<A, E, R> extends CoalesceOptions<E> {
  /** Makes the work's fiber, which begins at once. By default it belongs to nobody but those who wait. */
  readonly fork?: ((work: Effect.Effect<A, E, R>) => Effect.Effect<Fiber.Fiber<A, E>, never, R>) | undefined
  /** Asked when the last one leaves: whether the work goes on for whoever may come. */
  readonly keep?: (() => boolean) | undefined
}

export interface SingleFlight {
  readonly run: <A, E, R>(
    key: string,
    lead: Effect.Effect<A, E, R>,
    options?: FlightOptions<A, E, R>
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

  const forkWith =
    <R>(context: Context.Context<R>) =>
    <A, E>(work: Effect.Effect<A, E, R>) =>
      Effect.sync(() => Effect.runForkWith(context)(work))

  const launch = <A, E, R>(
    key: string,
    lead: Effect.Effect<A, E, R>,
    options: FlightOptions<A, E, R> | undefined
  ): Effect.Effect<Flight<A, E>, never, R> => {
    const flight: Flight<A, E> = { fiber: undefined, waiters: 1, keep: options?.keep }
    // Registered first: the work may finish before the fork returns.
    flights.set(key, flight)
    const work = Effect.ensuring(
      lead,
      Effect.sync(() => forget(key, flight))
    )
    const fork = options?.fork
    const forked =
      fork === undefined ? Effect.contextWith((context: Context.Context<R>) => forkWith(context)(work)) : fork(work)
    return Effect.map(forked, (fiber) => {
      flight.fiber = fiber
      return flight
    })
  }

  const leave = <A, E>(key: string, flight: Flight<A, E>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    flight.waiters--
    if (Exit.isSuccess(exit) || flight.waiters > 0 || flight.fiber === undefined) return Effect.void
    if (flight.keep?.() === true) return Effect.void
    forget(key, flight)
    return Fiber.interrupt(flight.fiber)
  }

  const run = <A, E, R>(
    key: string,
    lead: Effect.Effect<A, E, R>,
    options?: FlightOptions<A, E, R>
  ): Effect.Effect<Coalesced<A>, E, R> =>
    Effect.uninterruptibleMask((restore) => {
      const wait = (flight: Flight<A, E>) =>
        Effect.onExit(restore(flight.fiber === undefined ? lead : Fiber.join(flight.fiber)), (exit) =>
          leave(key, flight, exit)
        )
      return Effect.suspend(() => {
        // A key names a request, and one request is always led by the same kind of effect.
        const running = flights.get(key) as Flight<A, E> | undefined
        if (running === undefined) {
          const led = Effect.flatMap(launch(key, lead, options), wait)
          return Effect.map(led, (value) => ({ value, coalesced: false }))
        }
        onFollower()
        running.waiters++
        return wait(running).pipe(
          Effect.map((value) => ({ value, coalesced: true })),
          Effect.catchIf(
            (error) => options?.notShared?.(error) === true,
            () => restore(run(key, lead, options))
          )
        )
      })
    })

  return { run }
}
