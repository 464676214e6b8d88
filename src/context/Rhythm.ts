import { promptTokens, type Usage } from "../domain/Usage.ts"
import { cacheLifetimeMillis } from "./CompactionPolicy.ts"

const hourMillis = 60 * 60_000

/** How fast what usage says replaces what was believed. */
const learning = 0.2

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
  private lastAt: number | undefined
  private expectedRead = 0

  /** Since the previous request; undefined for the first. */
  idleMillis(at: number | undefined): number | undefined {
    return this.lastAt === undefined || at === undefined ? undefined : at - this.lastAt
  }

  /** What stored messages tell of an earlier request, for a conversation that is taken up again. */
  resumes(requests: number, at: number): void {
    if (this.requests > 0 || requests === 0) return
    this.requests = requests
    this.lastAt = at
  }

  /** A request of `tokens` at `at`; answers whether it came after a pause that an hour's cache would have bridged. */
  asks(tokens: number, at: number | undefined): boolean {
    this.requests++
    this.lastTokens = tokens
    const idle = this.idleMillis(at) ?? 0
    this.lastAt = at ?? this.lastAt
    if (idle > cacheLifetimeMillis) this.expectedRead = 0
    return idle > cacheLifetimeMillis && idle <= hourMillis
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
    this.expectedRead = promptTokens(usage)
    this.outputTokens += usage.output
  }
}
