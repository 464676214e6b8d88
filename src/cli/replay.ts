import { Argument, Command, Flag } from "effect/cli"
import { accepting } from "./accepting.ts"
import { lazy } from "./lazy.ts"
import { policyNames } from "./replay/Policy.ts"

const model = Flag.String("model").pipe(
  accepting("a model id or alias, without spaces", (id) => /^\S+$/.test(id)),
  Flag.withDescription("Model whose tokenizer and prices count; ORCHESTRATOR_MODEL otherwise"),
  Flag.optional
)
const prefixTokens = Flag.Int("prefix-tokens").pipe(
  Flag.withDescription("Tokens of system prompt and tools, which logs do not hold"),
  accepting("a whole number, 0 or more", (tokens) => tokens >= 0),
  Flag.withDefault(0)
)
const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

/** What your own transcripts would have cost. */
export const replay = Command.make(
  "replay",
  {
    paths: Argument.String("path").pipe(
      Argument.withDescription("Conversation JSON Lines, Claude Code session logs, or folders of them"),
      Argument.variadic({ min: 1 })
    ),
    policy: Flag.Literals("policy", [...policyNames, "all"]).pipe(
      Flag.withDescription(
        "none: full history, perfectly cached; window: last messages; seed: summaries rebuilt at every request; " +
          "sluice: as configured; sluice-dollars, sluice-tokens: with that objective; all: compare. " +
          "By default sluice, with --html all"
      ),
      Flag.optional
    ),
    model,
    prefixTokens,
    json,
    html: Flag.String("html").pipe(
      Flag.withDescription("Also write a report with charts to this file; it is complete in itself and loads nothing"),
      Flag.optional
    ),
    sweep: Flag.Boolean("sweep").pipe(
      Flag.withDescription(
        "Try many settings and print the .env lines of the cheapest that remembers as much of these transcripts"
      ),
      Flag.withDefault(false)
    )
  },
  (flags) =>
    lazy(
      () => import("./replay/replayCommand.ts"),
      ({ run }) => run(flags)
    )
).pipe(
  Command.withDescription(
    "Replay transcripts and print tokens, dollars, cache misses and recall, with prompt caching modelled"
  ),
  Command.withExamples([
    {
      command: "sluice replay ~/.claude/projects --policy all",
      description: "Compare the policies on your own sessions"
    },
    { command: "sluice replay ~/.claude/projects --html report.html", description: "The same as a page with charts" },
    { command: "sluice replay ~/.claude/projects --sweep", description: "The best settings for them" }
  ])
)

/** What would be sent at some point of a transcript. */
export const context = Command.make(
  "context",
  {
    path: Argument.String("path").pipe(Argument.withDescription("A transcript")),
    at: Flag.Int("at").pipe(Flag.withDescription("After this many messages; all of them otherwise"), Flag.optional),
    model,
    prefixTokens,
    json,
    explain: Flag.Boolean("explain").pipe(
      Flag.withDescription("Print the policy's decision, its price and the bands instead of the text"),
      Flag.withDefault(false)
    )
  },
  (flags) =>
    lazy(
      () => import("./replay/contextCommand.ts"),
      ({ run }) => run(flags)
    )
).pipe(Command.withDescription("Print the context that would be sent at a message of a transcript"))
