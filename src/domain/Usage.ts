import { Schema } from "effect"
import type { ApiUsage } from "./MessagesRequest.ts"

/**
 * Tokens of one request by kind, as they are billed. `input` is the uncached part only; the prompt's whole size is
 * `promptTokens(usage)`.
 */
export interface Usage {
  readonly input: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  readonly cacheRead: number
  readonly output: number
}

export const Usage = Schema.Struct({
  input: Schema.Natural.annotate({ description: "tokens of the prompt that no cache served" }),
  cacheWrite5m: Schema.Natural.annotate({ description: "prompt tokens written to upstream's cache for five minutes" }),
  cacheWrite1h: Schema.Natural.annotate({ description: "prompt tokens written to upstream's cache for an hour" }),
  cacheRead: Schema.Natural.annotate({ description: "prompt tokens read from upstream's cache" }),
  output: Schema.Natural.annotate({ description: "tokens of the answer" })
}).annotate({ identifier: "Usage" })

export const zero: Usage = { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 0 }

/** Prompt size in tokens: uncached input, both cache writes, and cache reads. */
export const promptTokens = (u: Usage): number => u.input + u.cacheWrite5m + u.cacheWrite1h + u.cacheRead

/** What upstream counts against input tokens per minute: uncached input and cache writes, not reads. */
export const limitedInput = (u: Usage): number => u.input + u.cacheWrite5m + u.cacheWrite1h

export const add = (a: Usage, b: Usage): Usage => ({
  input: a.input + b.input,
  cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
  cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
  cacheRead: a.cacheRead + b.cacheRead,
  output: a.output + b.output
})

/** Tokens. No request has more of a kind, and a hundred thousand of them still add up exactly. */
const most = 1_000_000_000

/** A count of tokens, whatever was written in its place: one number that is none would spoil every sum it is added to. */
export const countOf = (written: unknown): number =>
  typeof written === "number" && written > 0 ? Math.min(most, Math.round(written)) : 0

/**
 * The wire's `usage` by kind. 1-hour writes are `cache_creation.ephemeral_1h_input_tokens`; the rest of
 * `cache_creation_input_tokens` (of the split's sum, where that is missing) is 5-minute. What is no count is zero.
 */
export const fromApi = (u: ApiUsage): Usage => {
  const oneHourSplit = countOf(u.cache_creation?.ephemeral_1h_input_tokens)
  const fiveMinuteSplit = countOf(u.cache_creation?.ephemeral_5m_input_tokens)
  const created = countOf(u.cache_creation_input_tokens ?? oneHourSplit + fiveMinuteSplit)
  const oneHour = Math.min(created, oneHourSplit)
  return {
    input: countOf(u.input_tokens),
    cacheWrite5m: created - oneHour,
    cacheWrite1h: oneHour,
    cacheRead: countOf(u.cache_read_input_tokens),
    output: countOf(u.output_tokens)
  }
}

const isCompaction = (u: unknown): u is ApiUsage =>
  typeof u === "object" && u !== null && "type" in u && u.type === "compaction"

/** Everything that upstream worked through: the wire's `usage`, and the compactions, which it never counts itself. */
export const consumed = (u: ApiUsage): Usage =>
  Array.isArray(u.iterations) ? u.iterations.filter(isCompaction).map(fromApi).reduce(add, fromApi(u)) : fromApi(u)
