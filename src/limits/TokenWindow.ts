/** Tokens per minute means: in any 60 seconds. */
export const minute = 60_000

/**
 * Counts what was admitted in the last 60 seconds, exactly: an admission at `t` counts until `t + 60_000`, not longer.
 * Memory is bounded: admissions that lie closer together than a 600th of the span share a bucket, which leaves as a
 * whole when its *last* admission is 60 seconds old; so it may count a little longer than it must, never shorter.
 * Times are milliseconds of a clock that never goes back; counts are whole tokens. Amortised O(1), O(buckets) to look ahead.
 */
export class TokenWindow {
  /** What may be admitted in one span; `Infinity` only counts. */
  readonly limit: number
  private readonly span: number
  private readonly width: number
  private readonly capacity: number
  private readonly tokens: Float64Array
  private readonly lastAt: Float64Array
  private openedAt = Number.NEGATIVE_INFINITY
  /** Absolute numbers: buckets `first` to `next - 1` are alive. */
  private first = 0
  private next = 0
  private total = 0

  constructor(limit: number, options: { readonly span?: number; readonly buckets?: number } = {}) {
    this.limit = limit
    this.span = options.span ?? minute
    const buckets = options.buckets ?? 600
    this.width = this.span / buckets
    this.capacity = buckets + 3
    this.tokens = new Float64Array(this.capacity)
    this.lastAt = new Float64Array(this.capacity)
  }

  used(now: number): number {
    this.expire(now)
    return this.total
  }

  room(now: number): number {
    return this.limit - this.used(now)
  }

  /** Counts `tokens` from now on; the answer names the admission for `correct`. */
  add(now: number, tokens: number): number {
    this.expire(now)
    if (this.first === this.next || now >= this.openedAt + this.width) {
      this.tokens[this.next % this.capacity] = 0
      this.openedAt = now
      this.next += 1
    }
    const mark = this.next - 1
    const slot = mark % this.capacity
    this.tokens[slot] = this.at(mark) + tokens
    this.lastAt[slot] = now
    this.total += tokens
    return mark
  }

  /** Changes an admission in place; false when it has left the window already. */
  correct(now: number, mark: number, delta: number): boolean {
    this.expire(now)
    if (mark < this.first) return false
    this.tokens[mark % this.capacity] = this.at(mark) + delta
    this.total += delta
    return true
  }

  /** When `tokens` will fit, if nothing else is admitted: `now`, or the moment enough has left; `Infinity` when never. */
  readyAt(now: number, tokens: number): number {
    if (tokens > this.limit) return Number.POSITIVE_INFINITY
    let excess = this.used(now) + tokens - this.limit
    let ready = now
    for (let mark = this.first; mark < this.next && excess > 0; mark++) {
      excess -= this.at(mark)
      ready = this.leavesAt(mark)
    }
    return ready
  }

  /** When the oldest admission leaves; `now` when there is none. */
  resetsAt(now: number): number {
    this.expire(now)
    return this.first === this.next ? now : this.leavesAt(this.first)
  }

  private expire(now: number): void {
    while (this.first < this.next && this.leavesAt(this.first) <= now) {
      this.total -= this.at(this.first)
      this.first += 1
    }
  }

  private leavesAt(mark: number): number {
    return (this.lastAt[mark % this.capacity] ?? 0) + this.span
  }

  private at(mark: number): number {
    return this.tokens[mark % this.capacity] ?? 0
  }
}
