import { cacheLifetimeMillis } from "../../context/CompactionPolicy.ts"
import type { Usage } from "../../domain/Usage.ts"
import type { Model, ModelCatalog } from "../../models/ModelCatalog.ts"
import { type MissCause, noMisses, noTotals, type Totals } from "./Totals.ts"
import type { Repeated } from "./Units.ts"

export { addTotals, noTotals, type Totals } from "./Totals.ts"

/** A prompt as a policy would send it, in tokens without the fixed prefix. */
export interface Prompt extends Repeated {
  readonly tokens: number
  /** Of these, the heavy and the light summaries; the rest is messages. */
  readonly bands: { readonly old: number; readonly mid: number }
  /** Of `tokens`, the leading part that is kept for an hour; the fixed prefix is too, when `longLived`. */
  readonly long: number
  readonly longLived: boolean
  readonly compaction: boolean
}

export interface MeterOptions {
  readonly catalog: ModelCatalog["Service"]
  readonly model: Model
  /** Tokens of system prompt and tools, the same in every request. */
  readonly prefixTokens: number
}

/** One request to be metered. */
export interface Metered {
  readonly prompt: Prompt
  /** The whole history, in tokens without the prefix. */
  readonly raw: number
  readonly output: number
  /** Milliseconds since the previous request; infinite for the first. */
  readonly idleMillis: number
  /** Tokens that the previous prompt left in upstream's cache, prefix included. */
  readonly cachedBefore: number
  /** The previous prompt was long-lived: it left the fixed prefix there for an hour. */
  readonly longBefore: boolean
}

const hourMillis = 60 * 60_000

/** What upstream still holds of the prompt: everything shared within five minutes, the long-lived part within an hour. */
const warmTokens = ({ idleMillis, longBefore, prompt }: Metered, prefixTokens: number): number => {
  if (idleMillis <= cacheLifetimeMillis) return prefixTokens + prompt.shared
  return idleMillis <= hourMillis && longBefore ? prefixTokens + prompt.sharedLong : 0
}

/**
 * Prompt caching as upstream does it, with breakpoints behind the prefix and at the end: what is still held is read, the
 * rest is written, up to the last long-lived breakpoint for an hour and behind it for five minutes; below the model's
 * minimum nothing is cached and everything is plain input.
 */
export const usageOf = (request: Metered, { model, prefixTokens }: MeterOptions): Usage => {
  const { output, prompt } = request
  const total = prefixTokens + prompt.tokens
  const minimum = model.minCacheableTokens
  if (total < minimum) return { input: total, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output }
  const warm = Math.min(total, warmTokens(request, prefixTokens))
  const cacheRead = warm >= minimum ? warm : 0
  const long = prompt.longLived ? Math.min(total, prefixTokens + prompt.long) : 0
  const cacheWrite1h = Math.max(0, long - cacheRead)
  return { input: 0, cacheWrite5m: total - cacheRead - cacheWrite1h, cacheWrite1h, cacheRead, output }
}

/** A request that reads less than this share of what the previous prompt left in the cache has missed it. */
const hitShare = 0.9

const causeOf = ({ cachedBefore, idleMillis, prompt }: Metered, prefixTokens: number): MissCause => {
  if (idleMillis > cacheLifetimeMillis) return "cold"
  if (prompt.compaction) return "compaction"
  return prefixTokens + prompt.beyond >= hitShare * cachedBefore ? "lookback" : "moved"
}

/** Why the request missed upstream's cache; undefined when it did not, or when nothing was there. */
export const missOf = (request: Metered, usage: Usage, prefixTokens: number): MissCause | undefined =>
  usage.cacheRead >= hitShare * request.cachedBefore ? undefined : causeOf(request, prefixTokens)

/** One request, metered. */
export interface Reading {
  readonly usage: Usage
  readonly miss: MissCause | undefined
  readonly totals: Totals
}

/** What one request takes, and adds to the totals. */
export const meter = (request: Metered, options: MeterOptions): Reading => {
  const { catalog, model, prefixTokens } = options
  const usage = usageOf(request, options)
  const miss = missOf(request, usage, prefixTokens)
  const sentTokens = prefixTokens + request.prompt.tokens
  const inputNanoUsd = catalog.price(model, { ...usage, output: 0 })
  const totals: Totals = {
    ...noTotals,
    requests: 1,
    rawTokens: prefixTokens + request.raw,
    sentTokens,
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite5m + usage.cacheWrite1h,
    inputNanoUsd,
    outputNanoUsd: catalog.price(model, usage) - inputNanoUsd,
    maxRequestTokens: sentTokens,
    compactions: request.prompt.compaction ? 1 : 0,
    cacheMisses: miss === undefined ? 0 : 1,
    cacheMissesByCause: miss === undefined ? noMisses : { ...noMisses, [miss]: 1 }
  }
  return { usage, miss, totals }
}
