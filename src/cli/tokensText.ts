import type { Grant } from "../access/Tokens.ts"
import { format } from "../domain/Money.ts"

const row = (grant: Grant): ReadonlyArray<string> => [
  grant.name,
  grant.agent ?? "-",
  grant.priority ?? "-",
  grant.dailyBudgetNanoUsd === null ? "-" : format(grant.dailyBudgetNanoUsd),
  String(grant.share),
  grant.source,
  grant.createdAt === null ? "-" : new Date(grant.createdAt).toISOString().slice(0, 16).replace("T", " ")
]

const head = ["name", "agent", "priority", "budget a day", "share", "kept in", "made"]

/** A table, one token a line. */
export const asText = (grants: ReadonlyArray<Grant>): string => {
  if (grants.length === 0) return "There are no tokens: only processes of this machine may use the gateway."
  const rows = [head, ...grants.map(row)]
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
