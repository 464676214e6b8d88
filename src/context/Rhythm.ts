import { promptTokens, type Usage } from "../domain/Usage.ts"
import { cacheLifetimeMillis } from "./CompactionPolicy.ts"

export const hourMillis = 60 * 60_000

/** How fast what usage says replaces what was believed. */
const learning = 0.2
const slowly = 0.025

/** How one conversation goes: how often it asks, how long it pauses, what upstream's cache really serves of it. */
export class Rhythm {
  requests = 0
  /** Estimated tokens of what would have been sent before the last decision. */
  lastTokens = 0
  /** Nano-dollars paid since the last compaction for reading what could have been condensed. */
  excessNanoUsd = 0
  /** Output tokens since the last compaction. */
  outputTokens = 0
  /** Of what upstream should have read from its cache, the share that it did: 0 to 1. */
  readShare = 1
  /** Pauses of five minutes to an hour, and the share of requests that came after one, as a moving average. */
  pauses = 0
  pauseShare = 0
  /** Tokens that a request adds, as a moving average. */
  growth = 0
  private sentTokens = 0
  /** Requests since it was taken up: what the averages are of. */
  private seen = 0
  private lastAt: number | undefined
  private expectedRead = 0
  /** Tokens of the shortest prompt that upstream keeps. */
  private leastCached = 0

  /** Since the previous request; undefined for the first. */
  idleMillis(at: number | undefined): number | undefined {
    return this.lastAt === undefined || at === undefined ? undefined : at - this.lastAt
  }

  /** Of a prompt of so many tokens, those that were not sent before; 0 where nothing is known of it. */
  freshTokens(tokens: number): number {
    return this.seen === 0 ? 0 : Math.max(0, tokens - this.sentTokens)
  }

  /** What stored messages tell of an earlier request, for a conversation that is taken up again. */
  resumes(requests: number, at: number): void {
    if (this.requests > 0 || requests === 0) return
    this.requests = requests
    this.lastAt = at
  }

  /**
   * A request of `tokens` at `at`, to a model that caches no prompt of less than `leastCached` tokens; answers whether it
   * came after a pause that an hour's cache would have bridged.
   */
  asks(tokens: number, at: number | undefined, leastCached: number): boolean {
    this.leastCached = leastCached
    const idle = this.idleMillis(at) ?? 0
    const paused = idle > cacheLifetimeMillis && idle <= hourMillis
    const weight = Math.max(slowly, 1 / (this.seen + 1))
    if (this.seen > 0) this.growth += weight * (Math.max(0, tokens - this.sentTokens) - this.growth)
    this.pauseShare += weight * ((paused ? 1 : 0) - this.pauseShare)
    if (paused) this.pauses++
    if (idle > cacheLifetimeMillis) this.expectedRead = 0
    this.requests++
    this.seen++
    this.lastTokens = tokens
    this.lastAt = at ?? this.lastAt
    return paused
  }

  /** What was sent in the end. */
  sends(tokens: number): void {
    this.sentTokens = tokens
  }

  /** The decision was to keep the context as it is, at this price. */
  keeps(excessNanoUsd: number): void {
    this.excessNanoUsd += excessNanoUsd
  }

  /** The context was compacted: nothing of the old prompt is expected to be read. */
  compacts(): void {
    this.excessNanoUsd = 0
    this.outputTokens = 0
    this.expectedRead = 0
  }

  /** What the request's usage says of upstream's cache. */
  settles(usage: Usage): void {
    if (this.expectedRead > 0) {
      const read = Math.min(1, usage.cacheRead / this.expectedRead)
      this.readShare += learning * (read - this.readShare)
    }
    const prompt = promptTokens(usage)
    this.expectedRead = prompt < this.leastCached ? 0 : prompt
    this.outputTokens += usage.output
  }
}
