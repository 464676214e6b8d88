import type { TotalsOf } from "../api/types.ts"

/** The days up to and with `today`, both inclusive, as YYYY-MM-DD. */
export const daysBack = (today: string, days: number): { readonly from: string; readonly to: string } => {
  const first = new Date(Date.parse(`${today}T00:00:00Z`) - (days - 1) * 86_400_000)
  return { from: first.toISOString().slice(0, 10), to: today }
}

/** A row for each of the days, also for those on which nothing happened. */
export const everyDay = (rows: ReadonlyArray<TotalsOf>, today: string, days: number) => {
  const byDay = new Map(rows.map((row) => [row.key, row]))
  const last = Date.parse(`${today}T00:00:00Z`)
  return Array.from({ length: days }, (_, index) => {
    const at = last - (days - 1 - index) * 86_400_000
    const row = byDay.get(new Date(at).toISOString().slice(0, 10))
    return { at: at / 1000, cost: row?.cost.usd ?? 0, saved: row?.saved.usd ?? 0 }
  })
}

/** Not the sum of requests without a conversation, nor that of those that a report has no room for. */
export const isConversation = (key: string): boolean => key !== "(none)" && key !== "(other)"
