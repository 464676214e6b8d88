/** What everybody beyond the first few is counted as. */
export const other = "other"

/**
 * The values a label may take: the first `most` that come, then `other`. Names come from clients, and every value is a
 * time series for ever.
 */
export class Capped {
  private readonly values = new Set<string>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  of(value: string): string {
    if (this.values.has(value)) return value
    if (this.values.size >= this.most || value.length > longest) return other
    this.values.add(value)
    return value
  }
}

const longest = 100
