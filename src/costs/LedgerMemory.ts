import { Effect } from "effect"
import { sum } from "../domain/Money.ts"
import { byKey, dearestFirst } from "./LedgerRows.ts"
import type { LedgerStore, Opening } from "./LedgerStore.ts"
import type { CostGroup, LedgerEntry, LedgerIntent } from "./Records.ts"
import { noTotals, plus, sumOf, totalsOf } from "./Totals.ts"

const grouped = (entries: ReadonlyArray<LedgerEntry>, keyOf: (entry: LedgerEntry) => string): Array<CostGroup> => {
  const groups = new Map<string, CostGroup>()
  for (const entry of entries) {
    const key = keyOf(entry)
    groups.set(key, { ...plus(groups.get(key) ?? noTotals, totalsOf(entry)), key })
  }
  return [...groups.values()]
}

const bounded = (groups: Array<CostGroup>, limit: number): ReadonlyArray<CostGroup> => {
  const sorted = groups.sort(dearestFirst)
  const rest = sorted.slice(limit)
  if (rest.length === 0) return sorted
  return [...sorted.slice(0, limit), { ...rest.reduce(plus, noTotals), key: "(other)" }]
}

/** The ledger as arrays and maps: the meaning that the SQL one is tested against. */
export const makeMemory = (): LedgerStore => {
  const rows = new Map<string, ReadonlyArray<LedgerEntry>>()
  const intents = new Map<string, LedgerIntent>()
  let control: string | null = null
  const all = () => [...rows.values()].flat()

  const opening = (day: string): Opening => {
    const today = all().filter((entry) => entry.day === day)
    return {
      total: sumOf(all()),
      today: sumOf(today),
      spent: today.map((entry) => ({ subject: entry, costNanoUsd: entry.costNanoUsd })),
      intents: [...intents.values()],
      control
    }
  }

  return {
    open: (intent) => Effect.sync(() => void intents.set(intent.requestId, intent)),
    book: (entries) =>
      Effect.sync(() => {
        const { requestId } = entries[0]
        intents.delete(requestId)
        if (rows.has(requestId)) return false
        rows.set(requestId, entries)
        return true
      }),
    keep: () => false,
    cancel: (requestId) => Effect.sync(() => void intents.delete(requestId)),
    costOf: (requestId) =>
      Effect.sync(() => {
        const found = rows.get(requestId)
        return found && sum(...found.map((entry) => entry.costNanoUsd))
      }),
    opening: (day) => Effect.sync(() => opening(day)),
    report: (from, to, groups) =>
      Effect.sync(() => {
        const range = all().filter((entry) => entry.day >= from && entry.day <= to)
        return {
          from,
          to,
          total: sumOf(range),
          byDay: grouped(range, (entry) => entry.day).sort(byKey),
          byModel: bounded(
            grouped(range, (entry) => entry.model),
            groups
          ),
          byAgent: bounded(
            grouped(range, (entry) => entry.agent),
            groups
          ),
          byTenant: bounded(
            grouped(range, (entry) => entry.tenant),
            groups
          ),
          byConversation: bounded(
            grouped(range, (entry) => entry.conversation ?? "(none)"),
            groups
          )
        }
      }),
    saveControl: (text) =>
      Effect.sync(() => {
        control = text
      })
  }
}
