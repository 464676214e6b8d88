import { nanoUsd, zero } from "../domain/Money.ts"
import { add, zero as noUsage } from "../domain/Usage.ts"
import type { CostTotals, LedgerEntry, Saved } from "./Records.ts"

export const noSaved: Saved = { cache: zero, context: zero, routing: zero }

export const noTotals: CostTotals = {
  requests: 0,
  usage: noUsage,
  rawTokens: 0,
  costNanoUsd: zero,
  savedNanoUsd: zero,
  saved: noSaved
}

/** A row as totals; only a request's first row counts as a request. */
export const totalsOf = (entry: LedgerEntry): CostTotals => ({
  requests: entry.part === 0 ? 1 : 0,
  usage: entry.usage,
  rawTokens: entry.rawTokens,
  costNanoUsd: entry.costNanoUsd,
  savedNanoUsd: entry.savedNanoUsd,
  saved: entry.saved
})

const addSaved = (a: Saved, b: Saved): Saved =>
  b.cache === 0 && b.context === 0 && b.routing === 0
    ? a
    : {
        cache: nanoUsd(a.cache + b.cache),
        context: nanoUsd(a.context + b.context),
        routing: nanoUsd(a.routing + b.routing)
      }

export const plus = (a: CostTotals, b: CostTotals): CostTotals => ({
  requests: a.requests + b.requests,
  usage: add(a.usage, b.usage),
  rawTokens: a.rawTokens + b.rawTokens,
  costNanoUsd: nanoUsd(a.costNanoUsd + b.costNanoUsd),
  savedNanoUsd: nanoUsd(a.savedNanoUsd + b.savedNanoUsd),
  saved: addSaved(a.saved, b.saved)
})

export const minus = (a: CostTotals, b: CostTotals): CostTotals => {
  const { usage, saved } = b
  return plus(a, {
    requests: -b.requests,
    usage: {
      input: -usage.input,
      cacheWrite5m: -usage.cacheWrite5m,
      cacheWrite1h: -usage.cacheWrite1h,
      cacheRead: -usage.cacheRead,
      output: -usage.output
    },
    rawTokens: -b.rawTokens,
    costNanoUsd: nanoUsd(-b.costNanoUsd),
    savedNanoUsd: nanoUsd(-b.savedNanoUsd),
    saved: { cache: nanoUsd(-saved.cache), context: nanoUsd(-saved.context), routing: nanoUsd(-saved.routing) }
  })
}

export const sumOf = (entries: Iterable<LedgerEntry>): CostTotals => {
  let total = noTotals
  for (const entry of entries) total = plus(total, totalsOf(entry))
  return total
}
