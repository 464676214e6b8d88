/** How replay writes figures for people. */
export const count = (n: number): string => n.toLocaleString("en-US")

/** `1 line`, `2 lines`. */
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

export const usd = (nano: number): string => `$${(nano / 1e9).toFixed(nano < 1e9 ? 4 : 2)}`

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** A share of one; a dash where there is nothing to share. */
export const share = (value: number | null): string => (value === null ? "–" : value.toFixed(2))

export const ratio = (a: number, b: number): string => share(b === 0 ? null : a / b)

/** Columns of equal width, the first to the left, the others to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")
    )
    .join("\n")
}
