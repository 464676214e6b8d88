/** A share over the last so many cases: what part of a whole, forgotten case by case. O(1) per case. */
export class Recent {
  private readonly size: number
  private readonly least: number
  private readonly parts: Float64Array
  private readonly wholes: Float64Array
  private count = 0
  private part = 0
  private whole = 0

  /** Over `size` cases; no share before there were `least`. */
  constructor(options: { readonly size: number; readonly least: number }) {
    this.size = options.size
    this.least = options.least
    this.parts = new Float64Array(this.size)
    this.wholes = new Float64Array(this.size)
  }

  /** Adds a case and answers the share in percent, if there were enough cases. */
  push(part: number, whole: number): number | undefined {
    const slot = this.count % this.size
    this.part += part - (this.parts[slot] ?? 0)
    this.whole += whole - (this.wholes[slot] ?? 0)
    this.parts[slot] = part
    this.wholes[slot] = whole
    this.count += 1
    return this.count < this.least || this.whole === 0 ? undefined : (100 * this.part) / this.whole
  }
}
