import { askedUpstream, CompactionCause, type Event } from "../domain/Event.ts"
import { promptTokens, type Usage } from "../domain/Usage.ts"
import type { ModelCatalog } from "../models/ModelCatalog.ts"
import { Capped, other } from "./Capped.ts"
import * as catalogue from "./catalogue.ts"
import type { Instruments } from "./Instruments.ts"

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>
type CompactionEvent = Extract<Event, { readonly _tag: "Compaction" }>
type CacheMissEvent = Extract<Event, { readonly _tag: "PromptCacheMiss" }>

/** As OpenTelemetry's conventions advise for tokens and for seconds. */
const tokenBuckets = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]
const secondBuckets = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84]

/** Tenants with series of their own; the rest is `other`. */
export const mostTenants = 50

const kinds = {
  input: "input",
  cacheWrite5m: "cache_write_5m",
  cacheWrite1h: "cache_write_1h",
  cacheRead: "cache_read",
  output: "output"
} satisfies Record<keyof Usage, string>

// `kinds` is a const with exactly the kinds of Usage.
const kindEntries = Object.entries(kinds) as ReadonlyArray<[keyof Usage, string]>

/** What compactions and missed prompt caches come to. Zero is a figure, too: the series are there from the start. */
const contextMeters = (instruments: Instruments) => {
  const compactions = instruments.counter(catalogue.compactions, "cause")
  const compacted = instruments.counter(catalogue.compactedTokens)
  const savings = instruments.counter(catalogue.compactionSavings, "cause")
  const costs = instruments.counter(catalogue.compactionCosts, "cause")
  const misses = instruments.counter(catalogue.cacheMisses, "model", "cause")
  const missCost = instruments.counter(catalogue.cacheMissCost, "model", "cause")
  compacted(0)
  for (const cause of CompactionCause.literals) for (const start of [compactions, savings, costs]) start(0, cause)
  return {
    compaction: ({ cause, savesNanoUsd, tokensAfter, tokensBefore }: CompactionEvent): void => {
      compactions(1, cause)
      compacted(Math.max(0, tokensBefore - tokensAfter))
      savings(Math.max(0, savesNanoUsd), cause)
      costs(Math.max(0, -savesNanoUsd), cause)
    },
    cacheMiss: ({ cause, costNanoUsd }: CacheMissEvent, model: string): void => {
      misses(1, model, cause)
      missCost(Math.max(0, costNanoUsd), model, cause)
    }
  }
}

/** What the events add up to, as counters and histograms. The label sets are bounded: known models, the first tenants. */
export const makeMeters = (instruments: Instruments, catalog: ModelCatalog["Service"]) => {
  const genAi = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"] as const
  const tokenUsage = instruments.histogram(catalogue.tokenUsage, tokenBuckets, ...genAi, "gen_ai.token.type")
  const duration = instruments.histogram(catalogue.operationDuration, secondBuckets, ...genAi)
  const queue = instruments.histogram(catalogue.queueDuration, secondBuckets)
  const requests = instruments.counter(catalogue.requests, "model", "cache", "status")
  const tokens = instruments.counter(catalogue.tokens, "model", "kind")
  const raw = instruments.counter(catalogue.rawTokens, "model")
  const sent = instruments.counter(catalogue.sentTokens, "model")
  const cost = instruments.counter(catalogue.cost, "model")
  const saved = instruments.counter(catalogue.saved, "model")
  const tenantRequests = instruments.counter(catalogue.tenantRequests, "tenant")
  const tenantTokens = instruments.counter(catalogue.tenantTokens, "tenant")
  const tenantCost = instruments.counter(catalogue.tenantCost, "tenant")
  const contexts = contextMeters(instruments)
  const alerts = instruments.counter(catalogue.alerts, "kind", "severity")
  const published = instruments.counter(catalogue.eventsPublished, "type")
  const tenants = new Capped(mostTenants)

  /** An id of the catalogue, the family of a model that it does not know, or `other`. */
  const modelOf = (id: string): string => {
    const model = catalog.get(id)
    if (!model.estimated) return model.id
    return catalog.all.some(({ family }) => family === model.family) ? model.family : other
  }

  const upstream = (model: string, event: UsageEvent): void => {
    const { queueMillis, rawTokens, status, upstreamMillis, usage } = event
    duration(upstreamMillis, "chat", "anthropic", model)
    queue(queueMillis)
    if (status === "error" || status === "rejected") return
    const prompt = promptTokens(usage)
    tokenUsage(prompt, "chat", "anthropic", model, "input")
    tokenUsage(usage.output, "chat", "anthropic", model, "output")
    raw(rawTokens, model)
    sent(prompt, model)
    for (const [kind, label] of kindEntries) if (usage[kind] > 0) tokens(usage[kind], model, label)
  }

  const usage = (event: UsageEvent): void => {
    const model = modelOf(event.model)
    const tenant = tenants.of(event.tenant)
    requests(1, model, event.cache, event.status)
    cost(event.costNanoUsd, model)
    saved(event.savedNanoUsd, model)
    tenantRequests(1, tenant)
    tenantTokens(promptTokens(event.usage) + event.usage.output, tenant)
    tenantCost(event.costNanoUsd, tenant)
    if (askedUpstream(event.cache)) upstream(model, event)
  }

  return {
    feed: (event: Event): void => {
      published(1, event._tag)
      if (event._tag === "Usage") usage(event)
      else if (event._tag === "AlertRaised") alerts(1, event.alert.kind, event.alert.severity)
      else if (event._tag === "Compaction") contexts.compaction(event)
      else if (event._tag === "PromptCacheMiss") contexts.cacheMiss(event, modelOf(event.model))
    }
  }
}
