import { Effect } from "effect"

/** A log that nobody reads any more is no reason to stop serving: without a listener Node ends the process. */
const outliveReaders = Effect.sync(() => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
})

/** Being asked to stop (SIGTERM, SIGINT) is how a server is meant to end: exit code 0, where other commands give 130. */
export const whileAsked = <A, E, R>(server: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(Effect.andThen(outliveReaders, server), () =>
    Effect.sync(() => {
      process.exitCode = 0
    })
  )
