import { Effect } from "effect"
import { sum } from "../domain/Money.ts"
import { Groups } from "./Groups.ts"
import type { LedgerStore, Opening, Rows } from "./LedgerStore.ts"
import type { CostLine, LedgerEntry, LedgerIntent } from "./Records.ts"
import { noTotals, plus, sumOf, totalsOf } from "./Totals.ts"

const groupsOf = (entries: ReadonlyArray<LedgerEntry>): Groups => {
  const groups = new Groups(Number.POSITIVE_INFINITY)
  for (const entry of entries) groups.add(entry)
  return groups
}

/** The ledger as arrays and maps: the meaning that the SQL one is tested against. */
export const makeMemory = (): LedgerStore => {
  const rows = new Map<string, ReadonlyArray<LedgerEntry>>()
  const intents = new Map<string, LedgerIntent>()
  let control: string | null = null
  const all = () => [...rows.values()].flat()

  const opening = (day: string): Opening => ({
    total: sumOf(all()),
    tenants: groupsOf(all()).report("", "", Number.POSITIVE_INFINITY).byTenant,
    spent: all()
      .filter((entry) => entry.day === day)
      .map((entry) => ({ subject: entry, costNanoUsd: entry.costNanoUsd })),
    intents: [...intents.values()],
    control
  })

  const report = (from: string, to: string, limit: number, tenant?: string) => {
    const isAsked = (entry: LedgerEntry) =>
      entry.day >= from && entry.day <= to && (tenant === undefined || entry.tenant === tenant)
    return groupsOf(all().filter(isAsked)).report(from, to, limit)
  }

  const lines = (from: string, to: string): ReadonlyArray<CostLine> => {
    const found = new Map<string, CostLine>()
    for (const entry of all()) {
      if (entry.day < from || entry.day > to) continue
      const { agent, conversation, day, model, tenant } = entry
      const id = JSON.stringify([day, model, tenant, agent, conversation])
      const totals = plus(found.get(id) ?? noTotals, totalsOf(entry))
      found.set(id, { ...totals, day, model, tenant, agent, conversation })
    }
    return [...found.values()].sort((a, b) => a.day.localeCompare(b.day) || b.costNanoUsd - a.costNanoUsd)
  }

  const book = (entries: Rows): boolean => {
    const { requestId } = entries[0]
    intents.delete(requestId)
    if (rows.has(requestId)) return false
    rows.set(requestId, entries)
    return true
  }

  return {
    open: (intent) => Effect.sync(() => void intents.set(intent.requestId, intent)),
    note: () => false,
    book: (entries) => Effect.sync(() => book(entries)),
    bookAll: (requests) => Effect.sync(() => requests.map(book)),
    keep: () => false,
    cancel: (requestId) => Effect.sync(() => void intents.delete(requestId)),
    forget: () => false,
    costOf: (requestId) =>
      Effect.sync(() => {
        const found = rows.get(requestId)
        return found && sum(...found.map((entry) => entry.costNanoUsd))
      }),
    opening: (day) => Effect.sync(() => opening(day)),
    report: (from, to, groups, tenant) => Effect.sync(() => report(from, to, groups, tenant)),
    lines: (from, to, limit) => Effect.sync(() => lines(from, to).slice(0, limit)),
    saveControl: (text) =>
      Effect.sync(() => {
        control = text
      })
  }
}
