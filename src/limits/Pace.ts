import { minute, TokenWindow } from "./TokenWindow.ts"

/** Shares of the limit per minute. */
export interface PaceOptions {
  /** May go out at once after a start from cold. */
  readonly coldBurst: number
  /** May go out at once after a pause that was long enough to earn it. */
  readonly burst: number
  /** What a long backlog is let through at; the rest is at hand for whoever is below his share. */
  readonly steady: number
}

export const paceOptions: PaceOptions = { coldBurst: 0.5, burst: 0.8, steady: 1 }

/** Milliseconds. */
const catchUp = 3_000

/**
 * Spreads a flood over the minute. The exact window alone would let one tenant spend the whole minute in its first
 * second and make everybody wait for the other fifty-nine, again and again. Here a burst is followed by a flow that is
 * slower by just that burst for 60 seconds, so that the window never runs full in one gulp and a backlog still uses all of it.
 */
export class Pace {
  private readonly limit: number
  private readonly options: PaceOptions
  private readonly bursts: TokenWindow
  /** The next paced request may go then. */
  private nextAt = Number.NEGATIVE_INFINITY
  private credit: number

  constructor(limit: number, options: PaceOptions = paceOptions) {
    this.limit = limit
    this.options = options
    this.credit = limit * options.coldBurst
    this.bursts = new TokenWindow(Number.POSITIVE_INFINITY, { buckets: 60 })
  }

  /** When a request of so many tokens is in time: `now`, or later. */
  readyAt(now: number, tokens: number): number {
    this.earn(now)
    return this.nextAt <= now || tokens <= this.credit ? now : this.nextAt
  }

  /** Counts an admission; one that was not in time slows those that come after it. */
  admit(now: number, tokens: number): void {
    if (!Number.isFinite(this.limit)) return
    this.earn(now)
    const late = this.nextAt > now
    if (late && tokens <= this.credit) {
      this.credit -= tokens
      this.bursts.add(now, tokens)
    } else {
      this.nextAt += tokens / this.rate(now)
    }
  }

  /** An admission turned out to be of `more` tokens (fewer, when negative) than it was counted with. */
  correct(now: number, more: number): void {
    if (Number.isFinite(this.limit)) this.nextAt += more / this.rate(now)
  }

  /** Forgets what was earned: after a refusal nothing goes out at once. */
  restart(now: number): void {
    this.credit = 0
    this.nextAt = Math.max(this.nextAt, now)
  }

  /** Tokens per millisecond. */
  private rate(now: number): number {
    const lent = Math.min(this.bursts.used(now), this.limit * this.options.burst)
    return ((this.limit - lent) * this.options.steady) / minute
  }

  /** Time that nobody used becomes credit, except the last moments: whoever was held up by the window may catch up. */
  private earn(now: number): void {
    const since = now - catchUp
    if (this.nextAt === Number.NEGATIVE_INFINITY) this.nextAt = now
    if (this.nextAt >= since) return
    const earned = (since - this.nextAt) * this.rate(now)
    this.credit = Math.max(this.credit, Math.min(this.credit + earned, this.limit * this.options.burst))
    this.nextAt = since
  }
}
