import type { Instrument } from "./Instruments.ts"

const nano = 1e-9
const milli = 1e-3

const instrument = (name: string, unit: string, prometheus: string, description: string, scale = 1): Instrument => ({
  name,
  unit,
  prometheus,
  description,
  scale
})

/** Names after OpenTelemetry's GenAI conventions where it has one. docs/metrics.md lists them all. */
export const tokenUsage = instrument(
  "gen_ai.client.token.usage",
  "{token}",
  "gen_ai_client_token_usage",
  "Prompt (input) and output tokens of a request that went upstream"
)
export const operationDuration = instrument(
  "gen_ai.client.operation.duration",
  "s",
  "gen_ai_client_operation_duration_seconds",
  "Time from sending a request upstream to the end of its answer",
  milli
)
export const queueDuration = instrument(
  "sluice.queue.duration",
  "s",
  "sluice_queue_duration_seconds",
  "Time a request that went upstream waited for admission",
  milli
)
export const requests = instrument(
  "sluice.requests",
  "{request}",
  "sluice_requests_total",
  "Governed requests by model, where the answer came from, and how they ended"
)
export const tokens = instrument(
  "sluice.tokens",
  "{token}",
  "sluice_tokens_total",
  "Tokens that were billed, by model and kind"
)
export const rawTokens = instrument(
  "sluice.context.raw_tokens",
  "{token}",
  "sluice_context_raw_tokens_total",
  "Prompt tokens the whole histories of the requests sent would have cost"
)
export const sentTokens = instrument(
  "sluice.context.sent_tokens",
  "{token}",
  "sluice_context_sent_tokens_total",
  "Prompt tokens that were sent"
)
export const cost = instrument("sluice.cost", "{USD}", "sluice_cost_usd_total", "Dollars spent, by model", nano)
export const saved = instrument(
  "sluice.saved",
  "{USD}",
  "sluice_saved_usd_total",
  "Dollars that cached and shared answers would have cost, by model",
  nano
)
export const tenantRequests = instrument(
  "sluice.tenant.requests",
  "{request}",
  "sluice_tenant_requests_total",
  "Governed requests by tenant"
)
export const tenantTokens = instrument(
  "sluice.tenant.tokens",
  "{token}",
  "sluice_tenant_tokens_total",
  "Billed tokens by tenant, all kinds together"
)
export const tenantCost = instrument(
  "sluice.tenant.cost",
  "{USD}",
  "sluice_tenant_cost_usd_total",
  "Dollars spent, by tenant",
  nano
)
export const compactions = instrument(
  "sluice.context.compactions",
  "{compaction}",
  "sluice_context_compactions_total",
  "Contexts compacted, by cause"
)
export const compactedTokens = instrument(
  "sluice.context.compacted_tokens",
  "{token}",
  "sluice_context_compacted_tokens_total",
  "Tokens that compactions took out of contexts"
)
export const compactionSavings = instrument(
  "sluice.context.compaction.expected_savings",
  "{USD}",
  "sluice_context_compaction_expected_savings_usd_total",
  "Dollars that compactions were expected to save over the rest of their conversations",
  nano
)
export const compactionCosts = instrument(
  "sluice.context.compaction.expected_costs",
  "{USD}",
  "sluice_context_compaction_expected_costs_usd_total",
  "Dollars that compactions which had to be were expected to cost more than they save",
  nano
)
export const cacheMisses = instrument(
  "sluice.prompt_cache.unexpected_misses",
  "{request}",
  "sluice_prompt_cache_unexpected_misses_total",
  "Requests that upstream's prompt cache should have served and did not, by what had changed"
)
export const cacheMissCost = instrument(
  "sluice.prompt_cache.unexpected_misses.cost",
  "{USD}",
  "sluice_prompt_cache_unexpected_misses_cost_usd_total",
  "Dollars that writing those prompts anew cost more than reading them would have",
  nano
)
export const alerts = instrument("sluice.alerts", "{alert}", "sluice_alerts_total", "Alerts raised, by kind")
export const eventsPublished = instrument(
  "sluice.events",
  "{event}",
  "sluice_events_total",
  "Events published, by type"
)

export const gauges = {
  alertsActive: instrument("sluice.alerts.active", "{alert}", "sluice_alerts_active", "Alerts that last"),
  queueLength: instrument("sluice.queue.length", "{request}", "sluice_queue_length", "Requests waiting for admission"),
  queueOldest: instrument(
    "sluice.queue.oldest",
    "s",
    "sluice_queue_oldest_seconds",
    "How long the oldest waiting request has waited"
  ),
  inFlight: instrument("sluice.requests.in_flight", "{request}", "sluice_requests_in_flight", "Requests upstream now"),
  maxInFlight: instrument(
    "sluice.requests.in_flight.limit",
    "{request}",
    "sluice_requests_in_flight_limit",
    "Requests that may be upstream at once"
  ),
  used: instrument(
    "sluice.limiter.input_tokens",
    "{token}",
    "sluice_limiter_input_tokens",
    "Input tokens admitted in the last 60 seconds"
  ),
  limit: instrument(
    "sluice.limiter.input_tokens.limit",
    "{token}",
    "sluice_limiter_input_tokens_limit",
    "Input tokens that may be admitted in 60 seconds"
  ),
  cacheEntries: instrument("sluice.cache.entries", "{entry}", "sluice_cache_entries", "Answers in the response cache"),
  cacheSize: instrument("sluice.cache.size", "By", "sluice_cache_size_bytes", "Memory of the response cache"),
  cacheLimit: instrument(
    "sluice.cache.size.limit",
    "By",
    "sluice_cache_size_limit_bytes",
    "Memory the response cache may take"
  ),
  costToday: instrument("sluice.cost.today", "{USD}", "sluice_cost_today_usd", "Dollars spent today"),
  costReserved: instrument(
    "sluice.cost.reserved",
    "{USD}",
    "sluice_cost_reserved_usd",
    "Dollars reserved for requests in flight"
  ),
  costThreshold: instrument("sluice.cost.threshold", "{USD}", "sluice_cost_threshold_usd", "COST_ALERT_THRESHOLD_USD"),
  paused: instrument("sluice.budget.paused", "1", "sluice_budget_paused", "1 while a budget refuses requests"),
  memory: instrument("process.memory.usage", "By", "process_resident_memory_bytes", "Resident memory of the process"),
  started: instrument(
    "process.start_time",
    "s",
    "process_start_time_seconds",
    "When these metrics began, in seconds since the epoch"
  ),
  build: instrument("sluice.build_info", "1", "sluice_build_info", "1, with the version as a label")
}

export const totals = {
  hits: instrument("sluice.cache.hits", "{lookup}", "sluice_cache_hits_total", "Requests answered by the cache"),
  misses: instrument("sluice.cache.misses", "{lookup}", "sluice_cache_misses_total", "Look-ups that found nothing"),
  evictions: instrument(
    "sluice.cache.evictions",
    "{entry}",
    "sluice_cache_evictions_total",
    "Answers dropped for lack of memory"
  ),
  expirations: instrument(
    "sluice.cache.expirations",
    "{entry}",
    "sluice_cache_expirations_total",
    "Answers dropped for their age"
  ),
  coalesced: instrument(
    "sluice.cache.coalesced",
    "{request}",
    "sluice_cache_coalesced_total",
    "Requests that shared another's answer"
  ),
  cpu: instrument("process.cpu.time", "s", "process_cpu_seconds_total", "Processor time of the process")
}
