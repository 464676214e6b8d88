import type { CostGroup, CostLine, CostTotals } from "./Records.ts"

/** Quoted where CSV asks for it; what a spreadsheet would take for a formula begins with an apostrophe. */
const text = (value: string): string => {
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}

/** Nano-dollars as dollars, exactly: nine decimals, no floating point. */
const dollars = (nano: number): string => {
  const digits = Math.abs(nano).toString().padStart(10, "0")
  return `${nano < 0 ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`
}

type Columns<A> = ReadonlyArray<readonly [name: string, of: (row: A) => string]>

const figures: Columns<CostTotals> = [
  ["requests", (row) => String(row.requests)],
  ["input_tokens", (row) => String(row.usage.input)],
  ["cache_write_5m_tokens", (row) => String(row.usage.cacheWrite5m)],
  ["cache_write_1h_tokens", (row) => String(row.usage.cacheWrite1h)],
  ["cache_read_tokens", (row) => String(row.usage.cacheRead)],
  ["output_tokens", (row) => String(row.usage.output)],
  ["raw_tokens", (row) => String(row.rawTokens)],
  ["cost_usd", (row) => dollars(row.costNanoUsd)],
  ["saved_cache_usd", (row) => dollars(row.saved.cache)],
  ["saved_context_usd", (row) => dollars(row.saved.context)],
  ["saved_routing_usd", (row) => dollars(row.saved.routing)]
]

const ofLine: Columns<CostLine> = [
  ["day", (line) => text(line.day)],
  ["model", (line) => text(line.model)],
  ["tenant", (line) => text(line.tenant)],
  ["agent", (line) => text(line.agent)],
  ["conversation", (line) => text(line.conversation ?? "")],
  ...figures
]

const ofDay: Columns<CostGroup> = [["day", (row) => text(row.key)], ...figures]

const csv = <A>(columns: Columns<A>, rows: ReadonlyArray<A>): string =>
  [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, of]) => of(row)))]
    .map((fields) => `${fields.join(",")}\r\n`)
    .join("")

/** The finest report as CSV (RFC 4180): a heading, then a line each. Dollars are exact. */
export const csvOf = (lines: ReadonlyArray<CostLine>): string => csv(ofLine, lines)

/** One row a day, likewise. */
export const csvOfDays = (days: ReadonlyArray<CostGroup>): string => csv(ofDay, days)
