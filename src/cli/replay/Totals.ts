/** Why a request could not read what the prompt before it had left in upstream's cache. */
export const missCauses = ["cold", "compaction", "lookback", "moved"] as const
export type MissCause = (typeof missCauses)[number]

export type MissesByCause = Readonly<Record<MissCause, number>>

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
  /** Requests after the first that read less than nine tenths of what the prompt before them had left in the cache. */
  readonly cacheMisses: number
  readonly cacheMissesByCause: MissesByCause
  /** Identifiers that answers needed from further back than the last 30 messages, and how many of them were sent. */
  readonly recallNeeded: number
  readonly recallHeld: number
  /** `recallHeld / recallNeeded`; null when nothing was needed. */
  readonly recall: number | null
  readonly elapsedMs: number
}

export const noMisses: MissesByCause = { cold: 0, compaction: 0, lookback: 0, moved: 0 }

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
  cacheMisses: 0,
  cacheMissesByCause: noMisses,
  recallNeeded: 0,
  recallHeld: 0,
  recall: null,
  elapsedMs: 0
}

const addMisses = (a: MissesByCause, b: MissesByCause): MissesByCause => ({
  cold: a.cold + b.cold,
  compaction: a.compaction + b.compaction,
  lookback: a.lookback + b.lookback,
  moved: a.moved + b.moved
})

export const addTotals = (a: Totals, b: Totals): Totals => {
  const rawTokens = a.rawTokens + b.rawTokens
  const sentTokens = a.sentTokens + b.sentTokens
  const recallNeeded = a.recallNeeded + b.recallNeeded
  const recallHeld = a.recallHeld + b.recallHeld
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
    cacheMisses: a.cacheMisses + b.cacheMisses,
    cacheMissesByCause: addMisses(a.cacheMissesByCause, b.cacheMissesByCause),
    recallNeeded,
    recallHeld,
    recall: recallNeeded === 0 ? null : recallHeld / recallNeeded,
    elapsedMs: a.elapsedMs + b.elapsedMs
  }
}
