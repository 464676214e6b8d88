import { cacheLifetimeMillis } from "../../context/CompactionPolicy.ts"
import type { Usage } from "../../domain/Usage.ts"
import type { Model, ModelCatalog } from "../../models/ModelCatalog.ts"

/** A prompt as a policy would send it, in tokens without the fixed prefix. */
export interface Prompt {
  readonly tokens: number
  /** Of these, the leading part that the previous prompt had too, up to one of its breakpoints. */
  readonly shared: number
  /** The same up to a breakpoint that upstream keeps for an hour. */
  readonly sharedLong: number
  /** Of `tokens`, the leading part that is kept for an hour; the fixed prefix is too, when `longLived`. */
  readonly long: number
  readonly longLived: boolean
  readonly compaction: boolean
}

/** What one policy came to, over one conversation or over all. Tokens are estimates; money is exact for them. */
export interface Totals {
  readonly requests: number
  readonly rawTokens: number
  readonly sentTokens: number
  readonly reduction: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly inputNanoUsd: number
  readonly outputNanoUsd: number
  readonly maxRequestTokens: number
  readonly compactions: number
  readonly elapsedMs: number
}

export const noTotals: Totals = {
  requests: 0,
  rawTokens: 0,
  sentTokens: 0,
  reduction: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  inputNanoUsd: 0,
  outputNanoUsd: 0,
  maxRequestTokens: 0,
  compactions: 0,
  elapsedMs: 0
}

export const addTotals = (a: Totals, b: Totals): Totals => {
  const rawTokens = a.rawTokens + b.rawTokens
  const sentTokens = a.sentTokens + b.sentTokens
  return {
    requests: a.requests + b.requests,
    rawTokens,
    sentTokens,
    reduction: rawTokens === 0 ? 0 : 1 - sentTokens / rawTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    inputNanoUsd: a.inputNanoUsd + b.inputNanoUsd,
    outputNanoUsd: a.outputNanoUsd + b.outputNanoUsd,
    maxRequestTokens: Math.max(a.maxRequestTokens, b.maxRequestTokens),
    compactions: a.compactions + b.compactions,
    elapsedMs: a.elapsedMs + b.elapsedMs
  }
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
}

const hourMillis = 60 * 60_000

/** What upstream still holds of the prompt: everything shared within five minutes, the long-lived part within an hour. */
const warmTokens = ({ idleMillis, prompt }: Metered, prefixTokens: number): number => {
  if (idleMillis <= cacheLifetimeMillis) return prefixTokens + prompt.shared
  return idleMillis <= hourMillis && prompt.longLived ? prefixTokens + prompt.sharedLong : 0
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

/** What one request adds to the totals. */
export const meter = (request: Metered, options: MeterOptions): Totals => {
  const { catalog, model, prefixTokens } = options
  const usage = usageOf(request, options)
  const sentTokens = prefixTokens + request.prompt.tokens
  const inputNanoUsd = catalog.price(model, { ...usage, output: 0 })
  return {
    ...noTotals,
    requests: 1,
    rawTokens: prefixTokens + request.raw,
    sentTokens,
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite5m + usage.cacheWrite1h,
    inputNanoUsd,
    outputNanoUsd: catalog.price(model, usage) - inputNanoUsd,
    maxRequestTokens: sentTokens,
    compactions: request.prompt.compaction ? 1 : 0
  }
}
