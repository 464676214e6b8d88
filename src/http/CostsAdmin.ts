import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { CostTracker } from "../costs/CostTracker.ts"
import { csvOf, csvOfDays } from "../costs/Csv.ts"
import { Api } from "./Api.ts"
import { CurrentVisitor } from "./ApiAccess.ts"
import type { DailyCosts } from "./ApiCosts.ts"
import { totals } from "./Metrics.ts"
import { Forbidden } from "./Problem.ts"
import { databaseProblem, translate } from "./toProblem.ts"

interface Asked {
  readonly from?: string
  readonly to?: string
  readonly by?: "day" | "line"
  readonly format?: "json" | "csv"
}

const notForTenants = new Forbidden({
  detail: "These costs are of all tenants; send ADMIN_TOKEN instead of a tenant's token."
})

/** CSV for who names it and not JSON, a browser included that takes anything. */
const wantsCsv = ({ format }: Asked, accept = ""): boolean =>
  format === undefined ? accept.includes("text/csv") && !accept.includes("application/json") : format === "csv"

const dailyCosts = Effect.fnUntraced(function* (costs: CostTracker["Service"], asked: Asked, csv: boolean) {
  if (asked.by === "line") {
    const lines = yield* costs.lines(asked)
    if (csv) return csvOf(lines)
    const { byDay, from, to, total } = yield* costs.report(asked)
    const shown: typeof DailyCosts.Type = {
      from,
      to,
      total: totals(total),
      days: byDay.map((row) => ({ key: row.key, ...totals(row) })),
      lines: lines.map((line) => {
        const { agent, conversation, day, model, tenant } = line
        return { day, model, tenant, agent, conversation, ...totals(line) }
      })
    }
    return shown
  }
  const { byDay, from, to, total } = yield* costs.report(asked)
  if (csv) return csvOfDays(byDay)
  return { from, to, total: totals(total), days: byDay.map((row) => ({ key: row.key, ...totals(row) })) }
}, translate(databaseProblem))

export const layer = HttpApiBuilder.group(
  Api,
  "costs",
  Effect.fn(function* (handlers) {
    const costs = yield* CostTracker
    return handlers.handleAll({
      resume: () =>
        Effect.map(Effect.andThen(costs.resume("an administrator over HTTP"), costs.state), ({ paused }) => ({
          paused
        })),
      daily: ({ query, request }) =>
        Effect.gen(function* () {
          const { tenant } = yield* CurrentVisitor
          if (tenant !== null) return yield* Effect.fail(notForTenants)
          return yield* dailyCosts(costs, query, wantsCsv(query, request.headers.accept))
        })
    })
  })
)
