import { retryAfterMillis } from "../domain/RetryAfter.ts"
import { type Dimension, dimensions, headroom } from "./RateHeaders.ts"
import { minute, TokenWindow } from "./TokenWindow.ts"

/** What one request takes from each of upstream's limits. */
export interface Load {
  readonly input: number
  readonly output: number
}

/** An answer of upstream, as far as its limits are concerned. */
export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** What a 429 was about, when the caller knows: a spent budget does not pass by waiting. */
  readonly kind?: "rate" | "ramp" | "spend" | undefined
  /** Milliseconds since the epoch, for `retry-after` as a date. */
  readonly epochMillis: number
}

interface Bucket {
  limit: number
  level: number
  at: number
}

const amount = (load: Load, dimension: Dimension): number => {
  switch (dimension) {
    case "requests":
      return 1
    case "input":
      return load.input
    case "output":
      return load.output
    case "total":
      return load.input + load.output
  }
}

/** Upstream rounds what remains to thousands. */
const rounding = 500
/** Admissions this young may not have reached upstream when it wrote its headers, in milliseconds. */
const inTransit = 1_000
const young = () => new TokenWindow(Number.POSITIVE_INFINITY, { span: inTransit, buckets: 10 })
const longestPause = 3_600_000
const longestBackoff = 60_000
/** Limits are raised by hand: after this time, in milliseconds, a request that is too large for one may find out. */
const believed = 600_000
/** After a refusal: from a quarter of the limit's pace back to all of it, in this time. */
const recovery = { from: 0.25, millis: 30_000 }

/**
 * What is known about one of upstream's pools: the token buckets it announced in its headers, followed from answer to
 * answer, and the pause it asked for. So requests slow down to upstream's own refill rate before it has to refuse one,
 * and come back gently after it did. Knows nothing, and limits nothing, until upstream has spoken.
 */
export class UpstreamClass {
  pausedUntil = Number.NEGATIVE_INFINITY
  private readonly buckets = new Map<Dimension, Bucket>()
  private readonly recent = { requests: young(), input: young(), output: young() }
  private readonly fallbackLimit: number
  private observedAt = Number.NEGATIVE_INFINITY
  private refusals = 0
  private nextAt = Number.NEGATIVE_INFINITY

  /** `fallbackLimit`: input tokens per minute, to recover along while upstream's own limit is unknown. */
  constructor(fallbackLimit: number) {
    this.fallbackLimit = fallbackLimit
  }

  /** Input tokens per minute as upstream announced them. */
  get inputLimit(): number | undefined {
    return this.buckets.get("input")?.limit
  }

  /** `inputLimit`, unless it was long ago: what it forbids for ever, it must be asked about again. */
  saidLately(now: number): number | undefined {
    return now - this.observedAt < believed ? this.inputLimit : undefined
  }

  /** What should be left of upstream's input limit now. */
  inputRemaining(now: number): number | undefined {
    const bucket = this.buckets.get("input")
    return bucket === undefined ? undefined : Math.max(0, Math.round(level(bucket, now)))
  }

  /** When a request fits: `now`, or later; `Infinity` when it never will. An expected output is cut to upstream's limit. */
  readyAt(now: number, load: Load): number {
    let ready = Math.max(now, this.pausedUntil)
    if (this.recovering(now)) ready = Math.max(ready, this.nextAt)
    for (const [dimension, bucket] of this.buckets) {
      const need = amount(load, dimension)
      if (dimension === "input" && need > bucket.limit) return Number.POSITIVE_INFINITY
      const missing = Math.min(need, bucket.limit) - level(bucket, now)
      if (missing > 0) ready = Math.max(ready, now + (missing * minute) / bucket.limit)
    }
    return ready
  }

  admit(now: number, load: Load): void {
    this.recent.requests.add(now, 1)
    this.recent.input.add(now, load.input)
    this.recent.output.add(now, load.output)
    for (const dimension of this.buckets.keys()) this.take(dimension, now, amount(load, dimension))
    if (this.recovering(now)) this.nextAt = Math.max(now, this.nextAt) + load.input / this.rate(now)
  }

  /** Gives back (or takes more of) what an admission turned out to be, unless upstream has told its own figures since. */
  correct(now: number, admittedAt: number, more: Load): void {
    if (admittedAt <= this.observedAt) return
    this.take("input", now, more.input)
    this.take("output", now, more.output)
    this.take("total", now, more.input + more.output)
  }

  observe(now: number, answer: Answer): void {
    for (const dimension of dimensions) {
      const said = headroom(answer.headers, dimension)
      if (said === undefined) continue
      const unseen = this.unseen(now, dimension) + (dimension === "requests" ? 0 : rounding)
      this.buckets.set(dimension, { limit: said.limit, level: Math.min(said.limit, said.remaining - unseen), at: now })
      this.observedAt = now
    }
    if (answer.status === 429 && answer.kind !== "spend") this.refused(now, answer)
    else if (answer.status === 529) this.pause(now, retryAfterMillis(answer.headers, answer.epochMillis) ?? 0)
    else if (answer.status < 400) this.refusals = 0
  }

  /** What upstream may not have counted yet when it answered. */
  private unseen(now: number, dimension: Dimension): number {
    const { input, output, requests } = this.recent
    if (dimension === "requests") return requests.used(now)
    const load = { input: input.used(now), output: output.used(now) }
    return amount(load, dimension)
  }

  private refused(now: number, { epochMillis, headers }: Answer): void {
    // Answers to requests that went out together are one refusal.
    if (now >= this.pausedUntil) this.refusals += 1
    const backoff = Math.min(longestBackoff, 1_000 * 2 ** Math.min(10, this.refusals - 1))
    this.pause(now, retryAfterMillis(headers, epochMillis) ?? backoff)
  }

  private pause(now: number, millis: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, now + Math.min(millis, longestPause))
    this.nextAt = Math.max(this.nextAt, this.pausedUntil)
  }

  private recovering(now: number): boolean {
    return now < this.pausedUntil + recovery.millis
  }

  private rate(now: number): number {
    const share = recovery.from + (1 - recovery.from) * Math.max(0, (now - this.pausedUntil) / recovery.millis)
    return (share * (this.inputLimit ?? this.fallbackLimit)) / minute
  }

  private take(dimension: Dimension, now: number, n: number): void {
    const bucket = this.buckets.get(dimension)
    if (bucket === undefined || n === 0) return
    bucket.level = Math.min(bucket.limit, level(bucket, now) - n)
    bucket.at = now
  }
}

const level = ({ at, level: last, limit }: Bucket, now: number): number =>
  Math.min(limit, last + ((now - at) * limit) / minute)
