import type { Model } from "../models/ModelCatalog.ts"
import type { Rhythm } from "./Rhythm.ts"

/** Pauses seen before they are believed in. */
const enough = 3

/**
 * A cold cache is also the moment to compact for nothing: on the open transcripts that is worth most of what an hour's
 * entry would save, so that this share of it is counted.
 */
const saved = 0.2

/**
 * True when a conversation pauses so often (five minutes to an hour) that its whole prompt should be kept for an hour:
 * then each request pays the dearer write for what it adds, and a request after a pause reads what it would have had to
 * write again. `tokens` are those behind the part that is kept for an hour already.
 */
export const hourPays = (rhythm: Rhythm, tokens: number, { cacheRead, cacheWrite1h, cacheWrite5m }: Model["prices"]) =>
  rhythm.pauses >= enough &&
  rhythm.pauseShare * tokens * (cacheWrite5m - cacheRead) * saved > rhythm.growth * (cacheWrite1h - cacheWrite5m)
