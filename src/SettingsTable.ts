import { DateTime, Option, Redacted, Schema, SchemaTransformation } from "effect"

/** One environment variable. Decoding, the report at start, .env.sample and docs/configuration.md all come from these. */
export interface Variable<A> {
  readonly name: string
  /** A name it had before; still read, with a warning. */
  readonly formerly: string | undefined
  /** Default as one would write it; "" for none. */
  readonly fallback: string
  readonly accepts: string
  readonly doc: string
  readonly secret: boolean
  /** None when the text is not accepted. */
  readonly decode: (text: string) => Option.Option<A>
}

/** How a kind of value is written, and how that is said to people. */
interface Kind<A> {
  readonly accepts: string
  readonly schema: Schema.Codec<A, string>
}

interface Described {
  readonly doc: string
  readonly secret?: boolean
  readonly formerly?: string
}

const required = <A>(
  name: string,
  kind: Kind<A>,
  fallback: string,
  { doc, secret, formerly }: Described
): Variable<A> => ({
  name,
  formerly,
  fallback,
  accepts: kind.accepts,
  doc,
  secret: secret ?? false,
  decode: Schema.decodeUnknownOption(kind.schema)
})

const optional = <A>(name: string, kind: Kind<A>, described: Described): Variable<Option.Option<A>> => {
  const given = required(name, kind, "", described)
  return {
    ...given,
    decode: (text) => (text === "" ? Option.some(Option.none()) : Option.map(given.decode(text), Option.some))
  }
}

const secret = (name: string, kind: Kind<string>, doc: string): Variable<Option.Option<Redacted.Redacted>> => {
  const given = optional(name, kind, { doc, secret: true })
  const hide = Option.map((value: string) => Redacted.make(value, { label: name }))
  return { ...given, decode: (text) => Option.map(given.decode(text), hide) }
}

const digits = Schema.String.check(Schema.isPattern(/^\d+$/))
const decimal = Schema.String.check(Schema.isPattern(/^\d+(\.\d{1,9})?$/))
const satisfying = (test: (text: string) => boolean) => Schema.String.check(Schema.makeFilter(test))

const whole = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Kind<number> => ({
  accepts: `a whole number${maximum === Number.MAX_SAFE_INTEGER ? `, ${minimum} or more` : ` from ${minimum} to ${maximum}`}`,
  schema: digits.pipe(
    Schema.decodeTo(Schema.Int.check(Schema.isBetween({ minimum, maximum })), SchemaTransformation.numberFromString)
  )
})

const usd: Kind<number> = {
  accepts: "an amount in USD above 0 and up to 1000000, like 10 or 2.50",
  schema: decimal.pipe(
    Schema.decodeTo(
      Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1_000_000)),
      SchemaTransformation.numberFromString
    )
  )
}

const truths = ["true", "on", "yes", "1"]
const flag: Kind<boolean> = {
  accepts: "true or false (also on/off, yes/no, 1/0)",
  schema: Schema.String.pipe(
    Schema.decode(SchemaTransformation.toLowerCase()),
    Schema.check(Schema.makeFilter((text) => [...truths, "false", "off", "no", "0"].includes(text))),
    Schema.decodeTo(
      Schema.Boolean,
      SchemaTransformation.transform({ decode: (text) => truths.includes(text), encode: String })
    )
  )
}

const oneOf = <const L extends string>(...literals: ReadonlyArray<L>): Kind<L> => ({
  accepts: literals.join(" or "),
  schema: Schema.Literals(literals)
})

const url = (...protocols: ReadonlyArray<string>): Kind<string> => ({
  accepts: `a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  schema: satisfying((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
})

const http = url("https:", "http:")
const base: Kind<string> = {
  accepts: http.accepts,
  schema: http.schema.pipe(
    Schema.decode(
      SchemaTransformation.transform({ decode: (text) => text.replace(/\/+$/, ""), encode: (text: string) => text })
    )
  )
}
const word = (what: string): Kind<string> => ({
  accepts: `${what}, without spaces`,
  schema: satisfying((text) => !/\s/.test(text))
})
const model = word("a model id or alias")
const path: Kind<string> = { accepts: "a path", schema: Schema.NonEmptyString }
const host: Kind<string> = {
  accepts: "a host name or IP address to listen on, without a port",
  schema: satisfying((text) => /^[\w.-]+$/.test(text) || /^[0-9a-fA-F:.]+$/.test(text))
}
const zone: Kind<string> = {
  accepts: "an IANA time zone, like UTC or Europe/Berlin",
  schema: satisfying((text) => /^[A-Za-z]/.test(text) && Option.isSome(DateTime.zoneMakeNamed(text)))
}

const list = (text: string): ReadonlyArray<string> => text.split(",").map((part) => part.trim())
const names: Kind<ReadonlyArray<string>> = {
  accepts: "tool names, separated by commas",
  schema: satisfying((text) => list(text).every((name) => /^[\w.:-]+$/.test(name))).pipe(
    Schema.decodeTo(
      Schema.Array(Schema.String),
      SchemaTransformation.transform({ decode: list, encode: (parts) => parts.join(",") })
    )
  )
}

const pairs = (text: string): ReadonlyArray<readonly [name: string, token: string]> =>
  list(text).map((pair) => {
    const [, name = "", token = ""] = /^([\w.-]+)=(\S+)$/.exec(pair) ?? []
    return [name, token]
  })

const areTokens = (text: string): boolean => {
  const given = pairs(text)
  const distinct = (part: 0 | 1) => new Set(given.map((pair) => pair[part])).size === given.length
  return given.every(([name, token]) => name !== "" && token !== "") && distinct(0) && distinct(1)
}

const gatewayTokens: Variable<ReadonlyMap<string, Redacted.Redacted>> = {
  name: "GATEWAY_TOKENS",
  formerly: undefined,
  fallback: "",
  accepts: "name=token pairs separated by commas, every name and every token once",
  doc: "Who may use the gateway and the conversations: each name is a tenant.",
  secret: true,
  decode: (text) => {
    const hidden = () => pairs(text).map(([name, token]) => [name, Redacted.make(token, { label: name })] as const)
    return text === "" ? Option.some(new Map()) : areTokens(text) ? Option.some(new Map(hidden())) : Option.none()
  }
}

/** A limit a day for one tenant, agent, conversation or model, or for each of them. */
export const BudgetSetting = Schema.Struct({
  scope: Schema.Literals(["tenant", "agent", "conversation", "model"]),
  /** `*`: each one has a budget of its own. */
  name: Schema.String.check(Schema.isPattern(/^[^\s,=]+$/)),
  usd: usd.schema
}).annotate({ identifier: "BudgetSetting" })
export interface BudgetSetting extends Schema.Schema.Type<typeof BudgetSetting> {}

const budgetOf = (text: string): Option.Option<BudgetSetting> => {
  const [, scope, name, usd] = /^(\w+):(.+)=([^=]*)$/.exec(text) ?? []
  return Schema.decodeUnknownOption(BudgetSetting)({ scope, name, usd })
}

const costBudgets: Variable<ReadonlyArray<BudgetSetting>> = {
  name: "COST_BUDGETS",
  formerly: undefined,
  fallback: "",
  accepts:
    "budgets separated by commas, each once, like tenant:acme=5, agent:summarizer=1, conversation:*=0.50 or model:opus=20, in USD above 0 and up to 1000000",
  doc: "Dollars a day of a tenant, an agent, a conversation or a model, after which nothing more is sent for it; `*` gives each one its own.",
  secret: false,
  decode: (text) => {
    if (text === "") return Option.some([])
    const given = Option.all(list(text).map(budgetOf))
    const isOnceEach = (budgets: ReadonlyArray<BudgetSetting>) =>
      new Set(budgets.map(({ name, scope }) => `${scope}:${name}`)).size === budgets.length
    return Option.filter(given, isOnceEach)
  }
}

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
    doc: "Model that writes summaries in the background; none: only extractive ones."
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
