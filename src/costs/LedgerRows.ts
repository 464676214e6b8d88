import { nanoUsd, sum } from "../domain/Money.ts"
import { byKey, dearestFirst } from "./Groups.ts"
import type { CostGroup, CostReport, CostTotals } from "./Records.ts"
import { noTotals } from "./Totals.ts"

/** Sums as the database gives them. */
export interface GroupRow {
  readonly level: number
  readonly key: string
  readonly requests: number
  readonly input: number
  readonly short: number
  readonly long: number
  readonly read: number
  readonly output: number
  readonly raw: number
  readonly cost: number
  readonly cache: number
  readonly context: number
  readonly routing: number
}

export const totalsOfRow = (row: GroupRow): CostTotals => {
  const saved = { cache: nanoUsd(row.cache), context: nanoUsd(row.context), routing: nanoUsd(row.routing) }
  return {
    requests: row.requests,
    usage: {
      input: row.input,
      cacheWrite5m: row.short,
      cacheWrite1h: row.long,
      cacheRead: row.read,
      output: row.output
    },
    rawTokens: row.raw,
    costNanoUsd: nanoUsd(row.cost),
    savedNanoUsd: sum(saved.cache, saved.context, saved.routing),
    saved
  }
}

/** The bits of `grouping(day, model, agent, tenant, conversation)`: all but the group's own. */
const levels = { total: 31, day: 15, model: 23, agent: 27, tenant: 29, conversation: 30 } as const

export const reportOf = (from: string, to: string, rows: ReadonlyArray<GroupRow>): CostReport => {
  const at = (level: number): Array<CostGroup> =>
    rows.filter((row) => row.level === level).map((row) => ({ ...totalsOfRow(row), key: row.key }))
  const total = rows.find((row) => row.level === levels.total)
  return {
    from,
    to,
    total: total === undefined ? noTotals : totalsOfRow(total),
    byDay: at(levels.day).sort(byKey),
    byModel: at(levels.model).sort(dearestFirst),
    byAgent: at(levels.agent).sort(dearestFirst),
    byTenant: at(levels.tenant).sort(dearestFirst),
    byConversation: at(levels.conversation).sort(dearestFirst)
  }
}
