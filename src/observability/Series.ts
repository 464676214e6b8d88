import type { Event } from "../domain/Event.ts"
import { type NanoUsd, nanoUsd, zero } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"

export const stepMillis = 10_000
/** An hour. */
export const steps = 360

/** What the limiter is like at one moment. */
export interface Sample {
  readonly queued: number
  readonly oldestMillis: number
  readonly inFlight: number
  readonly used: number
  readonly limit: number
}

/** Ten seconds. Money is nano-dollars, tokens are tokens, times are milliseconds. */
export interface Step {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number
  requests: number
  errors: number
  input: number
  output: number
  cacheRead: number
  cacheWrite: number
  /** Prompt tokens the whole histories would have cost, and those that were sent. */
  raw: number
  sent: number
  /** Answers from the cache or shared with another request, and requests that asked for them. */
  hits: number
  lookups: number
  cost: NanoUsd
  saved: NanoUsd
  compactions: number
  /** The largest prompt of a conversation. */
  largestPrompt: number
  /** The most of each that was seen. */
  queued: number
  oldestMillis: number
  inFlight: number
  used: number
  limit: number
}

/** Ten seconds in which nothing happened. */
export const emptyStep = (at: number, limit: number): Step => ({
  at,
  requests: 0,
  errors: 0,
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  raw: 0,
  sent: 0,
  hits: 0,
  lookups: 0,
  cost: zero,
  saved: zero,
  compactions: 0,
  largestPrompt: 0,
  queued: 0,
  oldestMillis: 0,
  inFlight: 0,
  used: 0,
  limit
})

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>

/** The last hour in steps of ten seconds: a ring, so that it takes the same memory after a year. */
export class Series {
  private readonly ring: Array<Step | undefined> = Array(steps).fill(undefined)
  private readonly began: number
  private limit = 0

  /** `now`: milliseconds since the epoch. */
  constructor(now: number) {
    this.began = now
  }

  /** Notes what happened `at`. */
  feed(event: Event, at: number): void {
    if (event._tag === "Usage") this.usage(this.step(at), event)
    else if (event._tag === "Compaction") this.step(at).compactions += 1
    else if (event._tag === "Limiter") this.sample({ ...event, oldestMillis: event.oldestMillis ?? 0 }, at)
  }

  sample(sample: Sample, at: number): void {
    const step = this.step(at)
    step.queued = Math.max(step.queued, sample.queued)
    step.oldestMillis = Math.max(step.oldestMillis, sample.oldestMillis)
    step.inFlight = Math.max(step.inFlight, sample.inFlight)
    step.used = Math.max(step.used, sample.used)
    step.limit = sample.limit
    this.limit = sample.limit
  }

  /** Up to and with the step of `now`, oldest first; ten seconds in which nothing happened are there too, as zeros. */
  points(now: number): ReadonlyArray<Step> {
    const last = Math.floor(now / stepMillis)
    const first = Math.max(last - steps + 1, Math.floor(this.began / stepMillis))
    const points: Array<Step> = []
    for (let n = first; n <= last; n++) {
      const kept = this.ring[n % steps]
      points.push(kept?.at === n * stepMillis ? kept : emptyStep(n * stepMillis, this.limit))
    }
    return points
  }

  private step(at: number): Step {
    const n = Math.floor(at / stepMillis)
    const kept = this.ring[n % steps]
    // What comes later than an hour late counts where it arrives.
    if (kept !== undefined && kept.at >= n * stepMillis) return kept
    const made = emptyStep(n * stepMillis, this.limit)
    this.ring[n % steps] = made
    return made
  }

  private usage(step: Step, event: UsageEvent): void {
    const { cache, costNanoUsd, rawTokens, savedNanoUsd, status, usage } = event
    const sent = promptTokens(usage)
    step.requests += 1
    if (status === "error") step.errors += 1
    step.input += usage.input
    step.output += usage.output
    step.cacheRead += usage.cacheRead
    step.cacheWrite += usage.cacheWrite5m + usage.cacheWrite1h
    step.cost = nanoUsd(step.cost + costNanoUsd)
    step.saved = nanoUsd(step.saved + savedNanoUsd)
    if (cache !== "bypass") step.lookups += 1
    if (cache === "hit" || cache === "coalesced") step.hits += 1
    else {
      step.raw += rawTokens
      step.sent += sent
    }
    if (event.conversation !== null) step.largestPrompt = Math.max(step.largestPrompt, sent)
  }
}
