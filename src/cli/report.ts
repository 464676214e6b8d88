import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { lazy } from "./lazy.ts"
import { url } from "./url.ts"

const day = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${description}, as YYYY-MM-DD`), Flag.optional)

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

/** What was spent, by day, model, agent and tenant, as a running service tells it. */
export const report = Command.make("report", flags, ({ csv, day, from, json, lines, to, url }) =>
  lazy(
    () => Promise.all([import("./client.ts"), import("./reportText.ts")]),
    ([{ ask }, { asText }]) => {
      const range = query(
        Option.orElse(day, () => from),
        Option.orElse(day, () => to)
      )
      const by = lines ? ("line" as const) : ("day" as const)
      if (csv || (json && lines)) {
        const format = json ? ("json" as const) : ("csv" as const)
        return Effect.flatMap(
          ask(url, (api) => api.costs.daily({ query: { ...range, by, format } })),
          (daily) => Console.log(typeof daily === "string" ? daily.trimEnd() : JSON.stringify(daily, null, 2))
        )
      }
      const print = json ? (report: unknown) => JSON.stringify(report, null, 2) : asText
      return Effect.flatMap(
        ask(url, (api) => api.metrics.costs({ query: range })),
        (costs) => Console.log(print(costs))
      )
    }
  )
).pipe(
  Command.withDescription("Print what was spent and saved"),
  Command.withExamples([
    { command: "sluice report --day 2026-11-21", description: "One day" },
    { command: "sluice report --from 2026-11-01 --csv", description: "Rows for a spreadsheet" }
  ])
)
