import { Effect } from "effect"

/** Being asked to stop (SIGTERM, SIGINT) is how a server is meant to end: exit code 0, where other commands give 130. */
export const whileAsked = <A, E, R>(server: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(server, () =>
    Effect.sync(() => {
      process.exitCode = 0
    })
  )
