/** Doublings of a conversation's length that are told apart: up to a billion requests. */
const doublings = 30

/** Conversations that experience starts from: of those that had n requests, half had n more. */
const prior = 8

/** Requests that experience with pauses starts from: one of them came too late for upstream's cache. */
const priorRequests = 50

/**
 * How much longer conversations go on, learned from all of them: of those that had 2^k requests, how many reached twice
 * as many; and how often they pause. Bounded, whatever it sees. The unit is requests.
 */
export class Outlook {
  private readonly reached: Array<number> = Array.from({ length: doublings + 1 }, () => 0)
  private requests = priorRequests
  private cold = 1

  /** A conversation has had its n-th request; `cold` when upstream had forgotten the one before it. */
  sees(n: number, cold: boolean): void {
    this.requests++
    if (cold) this.cold++
    const k = Math.log2(n)
    if (Number.isInteger(k) && k <= doublings) this.reached[k] = (this.reached[k] ?? 0) + 1
  }

  /** Requests still to come in a conversation that has had n: as many again, unless experience says otherwise. */
  expected(n: number): number {
    const k = Math.min(doublings - 1, Math.floor(Math.log2(Math.max(1, n))))
    // The one that asks is among them, and has not ended.
    const others = Math.max(0, (this.reached[k] ?? 0) - 1)
    const doubled = prior / 2 + Math.min(others, this.reached[k + 1] ?? 0)
    const goesOn = Math.min(0.9, doubled / (prior + others))
    return Math.max(1, n * (goesOn / (1 - goesOn)))
  }

  /** The share of requests for which everything is written anew, compacted or not. */
  get coldShare(): number {
    return this.cold / this.requests
  }
}
