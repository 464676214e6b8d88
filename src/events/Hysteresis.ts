/** A condition that begins at one value and ends at another, so that a figure that trembles around one does not flood anybody. */
export interface Bounds {
  readonly raise: number
  readonly clear: number
}

export type Crossing = "raised" | "cleared"

/**
 * Watches one figure. With `raise` above `clear` it is too much that counts, with `raise` below `clear` too little.
 * Answers a crossing once, when it happens.
 */
export class Hysteresis {
  active = false
  private readonly bounds: Bounds

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  update(value: number): Crossing | undefined {
    const { clear, raise } = this.bounds
    const high = raise > clear
    if (!this.active && (high ? value >= raise : value < raise)) {
      this.active = true
      return "raised"
    }
    if (this.active && (high ? value < clear : value >= clear)) {
      this.active = false
      return "cleared"
    }
    return undefined
  }
}
