import { cacheLifetimeMillis } from "./CompactionPolicy.ts"

const hourMillis = 60 * 60_000

/** How one conversation goes: how often it asks, how much each request adds, how long it pauses. */
export class Rhythm {
  requests = 0
  /** Tokens that a request adds, as a moving average over about ten. */
  growth = 0
  /** Estimated tokens of what would have been sent before the last decision. */
  lastTokens = 0
  private sentTokens = 0
  private lastAt: number | undefined

  /** Since the previous request; undefined for the first. */
  idleMillis(at: number | undefined): number | undefined {
    return this.lastAt === undefined || at === undefined ? undefined : at - this.lastAt
  }

  /** A request of `tokens` at `at`; answers whether it came after a pause that an hour's cache would have bridged. */
  asks(tokens: number, at: number | undefined): boolean {
    const added = Math.max(0, tokens - this.sentTokens)
    if (this.requests > 0) this.growth += (added - this.growth) / Math.min(10, this.requests)
    this.requests++
    this.lastTokens = tokens
    const idle = this.idleMillis(at) ?? 0
    this.lastAt = at ?? this.lastAt
    return idle > cacheLifetimeMillis && idle <= hourMillis
  }

  /** What was sent in the end. */
  sends(tokens: number): void {
    this.sentTokens = tokens
  }
}
