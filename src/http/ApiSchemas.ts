import { Schema } from "effect"
import { NanoUsd, toUsd } from "../domain/Money.ts"
import { Usage } from "../domain/Usage.ts"

/** Money as it leaves the process: the exact integer, and dollars for people and charts. */
export const Money = Schema.Struct({
  nanoUsd: NanoUsd.annotate({ description: "exact, in nano-dollars" }),
  usd: Schema.Finite.annotate({ description: "the same in dollars" })
}).annotate({ identifier: "Money" })

export const money = (nanoUsd: NanoUsd): typeof Money.Type => ({ nanoUsd, usd: toUsd(nanoUsd) })

export const Millis = Schema.Finite.annotate({ description: "milliseconds" })
export const Epoch = Schema.Finite.annotate({ description: "milliseconds since the epoch" })

export const PercentOfLimit = Schema.Finite.annotate({
  description: "the upper bound of the prepared request in percent of MAX_CONTEXT_TOKENS"
})

/** 0 to 1: the share of tokens that did not have to be sent. */
export const Reduction = Schema.Finite.annotate({
  description: "1 - sent / raw prompt tokens; 0 when nothing was sent"
})

export const reduction = (raw: number, sent: number): number => (raw > 0 ? 1 - sent / raw : 0)

const SavedBy = Schema.Struct({
  cache: Money.annotate({ description: "answers from the response cache and shared answers" }),
  context: Money.annotate({
    description: "tokens that compaction kept out of prompts, at the price of cache reads: at least this much"
  }),
  routing: Money.annotate({ description: "another model than the one asked for: the difference" })
}).annotate({ identifier: "SavedBy" })

const totals = {
  requests: Schema.Natural.annotate({ description: "governed requests" }),
  usage: Usage,
  rawTokens: Schema.Natural.annotate({ description: "prompt tokens the whole histories would have cost" }),
  sentTokens: Schema.Natural.annotate({ description: "prompt tokens actually sent" }),
  reduction: Reduction,
  cost: Money,
  saved: Money,
  savedBy: SavedBy.annotate({ description: "`saved` by what prevented it; negative where it cost more" })
}

export const Totals = Schema.Struct(totals).annotate({ identifier: "Totals" })
export const TotalsOf = Schema.Struct({ key: Schema.String, ...totals }).annotate({ identifier: "TotalsOf" })
