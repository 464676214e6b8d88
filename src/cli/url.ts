import { Schema } from "effect"
import { Flag } from "effect/cli"

const Address = Schema.String.check(
  Schema.makeFilter<string>((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    expected: "an address like http://127.0.0.1:9403"
  })
)

/** Where the running service is that a subcommand asks. */
export const url = Flag.String("url").pipe(
  Flag.withSchema(Address),
  Flag.withDescription("Address of the running service; HOST and PORT otherwise"),
  Flag.optional
)
