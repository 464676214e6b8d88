import { Command } from "effect/cli"
import { version } from "../version.ts"
import { cache } from "./cache.ts"
import { context, replay } from "./replay.ts"
import { report } from "./report.ts"
import { serve } from "./serve.ts"
import { simulate } from "./simulate.ts"
import { tokens } from "./tokens.ts"

const sluice = Command.make("sluice").pipe(
  Command.withDescription("Regulates the flow of tokens between an LLM orchestrator and Claude."),
  Command.withSubcommands([serve, replay, context, simulate, report, cache, tokens])
)

/** The command line. Each subcommand loads what it needs when it is called. */
export const main = Command.run(sluice, { version })
