import type { CostLine } from "./Records.ts"
import { noSaved } from "./Totals.ts"

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

const columns: ReadonlyArray<readonly [name: string, of: (line: CostLine) => string]> = [
  ["day", (line) => text(line.day)],
  ["model", (line) => text(line.model)],
  ["tenant", (line) => text(line.tenant)],
  ["agent", (line) => text(line.agent)],
  ["conversation", (line) => text(line.conversation ?? "")],
  ["requests", (line) => String(line.requests)],
  ["input_tokens", (line) => String(line.usage.input)],
  ["cache_write_5m_tokens", (line) => String(line.usage.cacheWrite5m)],
  ["cache_write_1h_tokens", (line) => String(line.usage.cacheWrite1h)],
  ["cache_read_tokens", (line) => String(line.usage.cacheRead)],
  ["output_tokens", (line) => String(line.usage.output)],
  ["raw_tokens", (line) => String(line.rawTokens)],
  ["cost_usd", (line) => dollars(line.costNanoUsd)],
  ["saved_cache_usd", (line) => dollars((line.saved ?? noSaved).cache)],
  ["saved_context_usd", (line) => dollars((line.saved ?? noSaved).context)],
  ["saved_routing_usd", (line) => dollars((line.saved ?? noSaved).routing)]
]

/** The finest report as CSV (RFC 4180): a heading, then a line each. Dollars are exact. */
export const csvOf = (lines: ReadonlyArray<CostLine>): string =>
  [columns.map(([name]) => name), ...lines.map((line) => columns.map(([, of]) => of(line)))]
    .map((fields) => `${fields.join(",")}\r\n`)
    .join("")
