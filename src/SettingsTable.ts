import {
  base,
  costBudgets,
  flag,
  gatewayTokens,
  host,
  http,
  model,
  names,
  oneOf,
  optional,
  path,
  required,
  secret,
  url,
  usd,
  type Variable,
  whole,
  word,
  zone
} from "./SettingsKinds.ts"

const on = (name: string, doc: string) => required(name, flag, "true", { doc })

/** Every variable, in the order in which people read about them. Keys are the fields of `Settings`. */
export const variables = {
  anthropicApiKey: secret(
    "ANTHROPIC_API_KEY",
    word("a key"),
    "Key for the upstream. None: the built-in simulator answers, and the log says so."
  ),
  anthropicBaseUrl: required("ANTHROPIC_BASE_URL", base, "https://api.anthropic.com", { doc: "The upstream." }),
  orchestratorModel: required("ORCHESTRATOR_MODEL", model, "claude-sonnet-5-5", {
    doc: "Model of a conversation that names none."
  }),
  modelRouting: required("MODEL_ROUTING", flag, "off", {
    doc: "Chooses the model by the declared task; off leaves the requested model."
  }),
  modelRoutingComplexity: required("MODEL_ROUTING_COMPLEXITY", flag, "off", {
    doc: "With MODEL_ROUTING on, guesses the task of a request that declares none, by a rule of points."
  }),
  modelsFile: optional("MODELS_FILE", path, {
    doc: "JSON file that overrides or adds models and prices, in the format of `src/models/models.json`."
  }),
  host: required("HOST", host, "127.0.0.1", {
    doc: "Where to listen. Anything but loopback needs ADMIN_TOKEN and GATEWAY_TOKENS."
  }),
  port: required("PORT", whole(0, 65_535), "9403", { doc: "Port to listen on; 0 takes a free one." }),
  adminToken: secret("ADMIN_TOKEN", word("a token"), "Bearer token for what only an operator may do."),
  gatewayTokens,
  dataDir: required("DATA_DIR", path, ".sluice", { doc: "Folder of the embedded database." }),
  databaseUrl: secret(
    "DATABASE_URL",
    url("postgres:", "postgresql:"),
    "A Postgres server instead of the embedded database."
  ),
  redisUrl: secret(
    "REDIS_URL",
    url("redis:", "rediss:"),
    "A Redis server to share limits and cache between processes. Not used yet: both are in process."
  ),
  tokenManagementEnabled: on(
    "TOKEN_MANAGEMENT_ENABLED",
    "Master switch. False: everything passes through untouched, only metered."
  ),
  contextEnabled: on("CONTEXT_ENABLED", "Compacts contexts; false sends the whole history."),
  summarizationEnabled: on(
    "SUMMARIZATION_ENABLED",
    "Condenses old messages into summaries; false only names them. They stay stored."
  ),
  responseCacheEnabled: on("RESPONSE_CACHE_ENABLED", "Answers identical requests from memory."),
  rateLimitEnabled: on("RATE_LIMIT_ENABLED", "Keeps below the limits per minute."),
  costTrackingEnabled: on("COST_TRACKING_ENABLED", "Keeps the ledger and the budgets."),
  maxContextTokens: required("MAX_CONTEXT_TOKENS", whole(1_000), "50000", {
    doc: "Ceiling of a prepared request, in tokens, by its upper bound."
  }),
  maxContextMessages: required("MAX_CONTEXT_MESSAGES", whole(1), "200", { doc: "Most entries in a prepared context." }),
  defaultChatHistoryLimit: required("DEFAULT_CHAT_HISTORY_LIMIT", whole(1), "300", {
    doc: "Messages of a history page when none is asked for."
  }),
  recentMessagesFull: required("RECENT_MESSAGES_FULL", whole(1), "30", {
    doc: "Newest messages that stay in full. Fewer than MID_RANGE_MESSAGES.",
    formerly: "MAX_MESSAGES_IN_MEMORY"
  }),
  midRangeMessages: required("MID_RANGE_MESSAGES", whole(2), "100", {
    doc: "Messages up to this age are condensed lightly, older ones heavily."
  }),
  summarizationThresholdMessages: required("SUMMARIZATION_THRESHOLD_MESSAGES", whole(1), "20", {
    doc: "Messages that one summary covers, about."
  }),
  summaryLengthWords: required("SUMMARY_LENGTH_WORDS", whole(20, 10_000), "200", {
    doc: "Length a summary aims at, in words."
  }),
  summaryModel: required("SUMMARY_MODEL", model, "claude-haiku-5-5", {
    doc: "Model that writes summaries in the background; none: only extractive ones; upstream: upstream condenses the history itself (on-demand compaction, a beta), and kept turns keep their thinking."
  }),
  compactionObjective: required("COMPACTION_OBJECTIVE", oneOf("dollars", "tokens"), "dollars", {
    doc: "What compaction saves: dollars (respects prompt caching) or tokens."
  }),
  agentTools: required("AGENT_TOOLS", names, "Task,Agent,create_agent,command_agent,spawn_agent", {
    doc: "Tools that create or command sub-agents."
  }),
  gatewayContext: required("GATEWAY_CONTEXT", oneOf("off", "compact"), "off", {
    doc: "What the gateway does with the contexts of its clients; a request may say it with `x-sluice-context`."
  }),
  gatewayRecall: required("GATEWAY_RECALL", flag, "off", {
    doc: "Tells a compacted conversation of the gateway how its originals can be looked up with `recall_history` (docs/gateway.md); a request may say it with `x-sluice-recall`."
  }),
  rateLimitTokensPerMinute: required("RATE_LIMIT_TOKENS_PER_MINUTE", whole(1), "400000", {
    doc: "Input tokens per minute, as upstream counts them (cache reads are free)."
  }),
  rateLimitOutputTokensPerMinute: optional("RATE_LIMIT_OUTPUT_TOKENS_PER_MINUTE", whole(1), {
    doc: "Output tokens per minute."
  }),
  rateLimitRequestsPerMinute: optional("RATE_LIMIT_REQUESTS_PER_MINUTE", whole(1), { doc: "Requests per minute." }),
  maxConcurrentRequests: required("MAX_CONCURRENT_REQUESTS", whole(1, 100_000), "50", {
    doc: "Requests in flight at once."
  }),
  cacheTtlMinutes: required("CACHE_TTL_MINUTES", whole(1, 1_000_000), "60", {
    doc: "How long an answer may be replayed, in minutes."
  }),
  cacheMaxSizeMb: required("CACHE_MAX_SIZE_MB", whole(1, 1_000_000), "100", {
    doc: "Memory of the response cache, in megabytes."
  }),
  responseCachePersistent: required("RESPONSE_CACHE_PERSISTENT", flag, "off", {
    doc: "Keeps cached answers in the database too: they outlive a restart."
  }),
  costAlertThresholdUsd: required("COST_ALERT_THRESHOLD_USD", usd, "10.0", { doc: "Dollars a day that raise alerts." }),
  costDailyBudgetUsd: optional("COST_DAILY_BUDGET_USD", usd, {
    doc: "Dollars a day after which nothing more is sent."
  }),
  costBudgets,
  costTimeZone: required("COST_TIME_ZONE", zone, "UTC", { doc: "Where a day begins and ends." }),
  alertWebhookUrl: secret(
    "ALERT_WEBHOOK_URL",
    http,
    "Receives every alert as JSON. A `#secret` at its end is not sent: it signs each delivery (`x-sluice-signature`)."
  ),
  logLevel: required("LOG_LEVEL", oneOf("debug", "info", "warning", "error"), "info", {
    doc: "The least important lines that are logged."
  }),
  logFormat: required("LOG_FORMAT", oneOf("text", "json"), "text", { doc: "How a line of the log is written." }),
  requestLogLevel: required("REQUEST_LOG_LEVEL", oneOf("info", "debug", "off"), "info", {
    doc: "Importance of the one line that tells of each governed request."
  }),
  otlpEndpoint: secret(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    http,
    "An OpenTelemetry collector for traces, metrics and logs; docs/metrics.md lists what else OpenTelemetry's variables say."
  ),
  captureContent: required("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", flag, "false", {
    doc: "Puts prompts and answers into traces."
  })
}

export type VariableKey = keyof typeof variables

/** What the variables decode to, by key. */
export type Decoded = {
  readonly [K in VariableKey]: (typeof variables)[K] extends Variable<infer A> ? A : never
}
