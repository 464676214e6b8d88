import { format, type NanoUsd, sum } from "../domain/Money.ts"
import type { CostMetrics } from "../http/ApiMetrics.ts"

type Costs = typeof CostMetrics.Type
type Row = Costs["byDay"][number]

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
  )
}

const cells = (row: Row): ReadonlyArray<string> => [
  row.key,
  String(row.requests),
  String(row.sentTokens),
  String(row.usage.output),
  percent(row.reduction),
  format(row.cost.nanoUsd),
  format(row.saved.nanoUsd)
]

const section = (title: string, rows: ReadonlyArray<Row>): ReadonlyArray<string> =>
  rows.length === 0
    ? []
    : ["", ...table([[title, "requests", "input", "output", "reduction", "cost", "saved"], ...rows.map(cells)])]

const savings = ({ promptCaching, total: { saved, savedBy } }: Costs): string => {
  const parts = [
    `response cache ${format(savedBy.cache.nanoUsd)}`,
    `smaller contexts ${format(savedBy.context.nanoUsd)}`,
    `routing ${format(savedBy.routing.nanoUsd)}`
  ]
  return `In total saved ${format(saved.nanoUsd)}: ${parts.join(", ")}; prompt caching ${format(promptCaching.nanoUsd)} in these days.`
}

const period = ({ from, to }: Costs): string => (from === to ? from : `${from} to ${to}`)

const sumOf = (days: ReadonlyArray<Row>): NanoUsd => sum(...days.map(({ cost }) => cost.nanoUsd))

/** For people. */
export const asText = (costs: Costs): string => {
  if (!costs.enabled) return "Costs are not tracked: the service runs with COST_TRACKING_ENABLED=false."
  return [
    `${period(costs)}: ${format(sumOf(costs.byDay))}. Today ${format(costs.today.cost.nanoUsd)} (${costs.percent.toFixed(1)} % of the threshold), in total ${format(costs.total.cost.nanoUsd)}.`,
    savings(costs),
    ...section("day", costs.byDay),
    ...section("model", costs.byModel),
    ...section("agent", costs.byAgent),
    ...section("tenant", costs.byTenant)
  ].join("\n")
}
