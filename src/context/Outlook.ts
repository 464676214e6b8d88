/** Doublings of a conversation's length that are told apart: up to a billion requests. */
const doublings = 30

/** Conversations that experience starts from: of those that had n requests, half had n more. */
const prior = 8

/**
 * How much longer conversations go on, learned from all of them: of those that had 2^k requests, how many reached twice
 * as many. Bounded, whatever it sees. The unit is requests.
 */
export class Outlook {
  private readonly reached: Array<number> = Array.from({ length: doublings + 1 }, () => 0)

  /** A conversation has had its n-th request. */
  sees(n: number): void {
    const k = Math.log2(n)
    if (Number.isInteger(k) && k <= doublings) this.reached[k] = (this.reached[k] ?? 0) + 1
  }

  /** Requests still to come in a conversation that has had n: as many again, unless experience says otherwise. */
  expected(n: number): number {
    const k = Math.min(doublings - 1, Math.floor(Math.log2(Math.max(1, n))))
    const began = prior + (this.reached[k] ?? 0)
    const doubled = prior / 2 + Math.min(this.reached[k] ?? 0, this.reached[k + 1] ?? 0)
    const goesOn = Math.min(0.9, doubled / began)
    return Math.max(1, n * (goesOn / (1 - goesOn)))
  }
}
