import { Data, Effect } from "effect"

/** Arguments that contradict each other or cannot be meant; exit code 2. The message says which to leave out. */
export class Misuse extends Data.TaggedError("Misuse")<{ readonly message: string }> {}

/** Fails when both flags were given. */
export const notBoth = (a: readonly [flag: string, given: boolean], b: readonly [flag: string, given: boolean]) =>
  a[1] && b[1]
    ? Effect.fail(new Misuse({ message: `${a[0]} and ${b[0]} exclude each other: leave one out.` }))
    : Effect.void
