import { Flag } from "effect/cli"

/** A flag that takes only some values; help and error say which: "Expected: a day …". */
export const accepting =
  <A>(expected: string, test: (value: A) => boolean) =>
  (flag: Flag.Flag<A>): Flag.Flag<A> =>
    Flag.filter(flag, test, () => expected)
