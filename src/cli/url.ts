import { Flag } from "effect/cli"

/** Where the running service is that a subcommand asks. */
export const url = Flag.String("url").pipe(
  Flag.withDescription("Address of the running service; HOST and PORT otherwise"),
  Flag.optional
)
