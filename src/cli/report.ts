import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Day } from "../http/ApiDays.ts"
import { accepting } from "./accepting.ts"
import { Misuse, notBoth } from "./Misuse.ts"
import { print } from "./print.ts"
import { url } from "./url.ts"

const isDay = Schema.is(Day)

const day = (name: string, description: string) =>
  Flag.String(name).pipe(
    accepting("a day of the calendar, as YYYY-MM-DD", isDay),
    Flag.withDescription(`${description}, as YYYY-MM-DD`),
    Flag.optional
  )

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

const flags = {
  day: day("day", "One day"),
  from: day("from", "First day"),
  to: day("to", "Last day"),
  json: flag("json", "Print everything as JSON"),
  csv: flag("csv", "Print one row a day as CSV"),
  lines: flag("lines", "With --csv or --json: each day by model, tenant, agent and conversation"),
  url
}

const query = (from: Option.Option<string>, to: Option.Option<string>) => ({
  ...(Option.isSome(from) ? { from: from.value } : {}),
  ...(Option.isSome(to) ? { to: to.value } : {})
})

interface Asked {
  readonly day: Option.Option<string>
  readonly from: Option.Option<string>
  readonly to: Option.Option<string>
  readonly json: boolean
  readonly csv: boolean
  readonly lines: boolean
}

const check = Effect.fnUntraced(function* ({ csv, day, from, json, lines, to }: Asked) {
  yield* notBoth(["--json", json], ["--csv", csv])
  yield* notBoth(["--day", Option.isSome(day)], ["--from", Option.isSome(from)])
  yield* notBoth(["--day", Option.isSome(day)], ["--to", Option.isSome(to)])
  if (lines && !json && !csv) return yield* new Misuse({ message: "--lines goes with --csv or --json." })
  if (Option.isSome(from) && Option.isSome(to) && from.value > to.value) {
    return yield* new Misuse({ message: `--from ${from.value} is after --to ${to.value}.` })
  }
})

const tell = Effect.fnUntraced(function* ({ url, ...asked }: Asked & { readonly url: Option.Option<string> }) {
  const { csv, day, from, json, lines, to } = asked
  yield* check(asked)
  const [{ ask }, { asText }] = yield* Effect.promise(() =>
    Promise.all([import("./client.ts"), import("./reportText.ts")])
  )
  const range = query(
    Option.orElse(day, () => from),
    Option.orElse(day, () => to)
  )
  if (csv || lines) {
    const by = lines ? "line" : "day"
    const daily = yield* ask(url, (api) => api.costs.daily({ query: { ...range, by, format: csv ? "csv" : "json" } }))
    return typeof daily === "string" ? daily.trimEnd() : JSON.stringify(daily, null, 2)
  }
  const costs = yield* ask(url, (api) => api.metrics.costs({ query: range }))
  return json ? JSON.stringify(costs, null, 2) : asText(costs)
})

/** What was spent, by day, model, agent and tenant, as a running service tells it. */
export const report = Command.make("report", flags, (asked) => Effect.flatMap(tell(asked), print)).pipe(
  Command.withDescription("Print what was spent and saved"),
  Command.withExamples([
    { command: "sluice report --day 2026-11-21", description: "One day" },
    { command: "sluice report --from 2026-11-01 --csv", description: "Rows for a spreadsheet" }
  ])
)
