import type { UsageEvent } from "../api/types.ts"

type Usage = UsageEvent["usage"]

/** The prompt's whole size: uncached input, both cache writes, and cache reads. */
export const promptTokens = ({ cacheRead, cacheWrite1h, cacheWrite5m, input }: Usage): number =>
  input + cacheWrite5m + cacheWrite1h + cacheRead

/** The parts of a usage under the names that people read. */
export const partsOf = (
  usage: Usage
): ReadonlyArray<{ readonly name: string; readonly tokens: number; readonly tone: string }> => [
  { name: "Uncached input", tokens: usage.input, tone: "accent" },
  { name: "Prompt cache reads", tokens: usage.cacheRead, tone: "good" },
  { name: "Prompt cache writes, 5 min", tokens: usage.cacheWrite5m, tone: "warn" },
  { name: "Prompt cache writes, 1 h", tokens: usage.cacheWrite1h, tone: "band-mid" },
  { name: "Output", tokens: usage.output, tone: "violet" }
]
