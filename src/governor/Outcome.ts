import type { CacheOutcome, Event } from "../domain/Event.ts"
import { type NanoUsd, zero as noMoney } from "../domain/Money.ts"
import { zero as noUsage, type Usage } from "../domain/Usage.ts"
import type { Settlement } from "./Governed.ts"
import type { Job } from "./Job.ts"

/** What a request came to, before it is told to the caller and to the listeners. */
export interface Outcome {
  readonly usage: Usage
  readonly costNanoUsd: NanoUsd
  readonly savedNanoUsd: NanoUsd
  readonly cache: CacheOutcome
  readonly queueMillis: number
  readonly upstreamMillis: number
  readonly status: "ok" | "error" | "rejected" | "partial"
}

export const settlementOf = (job: Job, outcome: Outcome): Settlement => ({
  requestId: job.requestId,
  model: job.model.id,
  usage: outcome.usage,
  costNanoUsd: outcome.costNanoUsd,
  savedNanoUsd: outcome.savedNanoUsd,
  cache: outcome.cache,
  queueMillis: outcome.queueMillis,
  upstreamMillis: outcome.upstreamMillis,
  partial: outcome.status === "partial",
  ...(job.requestedModel === undefined ? {} : { routing: job.routing })
})

export const eventOf = (job: Job, rawTokens: number, outcome: Outcome): Event => ({
  _tag: "Usage",
  requestId: job.requestId,
  tenant: job.caller.tenant,
  agent: job.caller.agent,
  conversation: job.caller.conversation ?? null,
  model: job.model.id,
  rawTokens,
  ...outcome
})

/** Of a request that joined another whose answer never became whole, or left before: nothing spent, nothing saved. */
export const nothingOf = (job: Job): Settlement =>
  settlementOf(job, {
    usage: noUsage,
    costNanoUsd: noMoney,
    savedNanoUsd: noMoney,
    cache: "coalesced",
    queueMillis: 0,
    upstreamMillis: 0,
    status: "partial"
  })
