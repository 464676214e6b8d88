import { Flag } from "effect/cli"
import { accepting } from "./accepting.ts"

const isAddress = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

/** Where the running service is that a subcommand asks. */
export const url = Flag.String("url").pipe(
  accepting("an address like http://127.0.0.1:9403", isAddress),
  Flag.withDescription("Address of the running service; HOST and PORT otherwise"),
  Flag.optional
)
