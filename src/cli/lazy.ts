import { Effect } from "effect"

/** Loads what a subcommand needs only when it is called, so that the others start fast. */
export const lazy = <M, A, E, R>(
  load: () => Promise<M>,
  use: (module: M) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.flatMap(Effect.promise(load), use)
