import { Config, Context, Effect, Layer, Option, Redacted, Result, Schema } from "effect"
import { BudgetSetting, type Variable } from "./SettingsKinds.ts"
import { type Decoded, type VariableKey, variables } from "./SettingsTable.ts"
import { telemetryVariables } from "./SettingsTelemetry.ts"

/** A variable holds what it cannot mean. Ends the start. `value` is never a secret. */
export class InvalidSetting extends Schema.TaggedError<InvalidSetting>()("InvalidSetting", {
  variable: Schema.String,
  value: Schema.String,
  accepts: Schema.String
}) {
  override get message(): string {
    return `${this.variable}=${this.value} is not accepted: it takes ${this.accepts}.`
  }
}

/** Every setting, decoded once from the environment; names and defaults are in docs/configuration.md. */
export interface SettingsShape {
  readonly anthropicApiKey: Option.Option<Redacted.Redacted>
  readonly anthropicBaseUrl: string
  readonly host: string
  readonly port: number
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  readonly dataDir: string
  readonly redisUrl: Option.Option<Redacted.Redacted>
  /** TOKEN_MANAGEMENT_ENABLED as it was given; `enabled` below is what each room obeys. */
  readonly tokenManagementEnabled: boolean
  /** Effective switches: a room's own switch and the master switch. Costs are metered unless COST_TRACKING_ENABLED=false; budgets also obey the master switch. */
  readonly enabled: {
    readonly context: boolean
    readonly summarization: boolean
    readonly responseCache: boolean
    readonly rateLimit: boolean
    readonly costTracking: boolean
    readonly budget: boolean
  }
  /** Tokens: the ceiling of a prepared request, by its upper bound. */
  readonly maxContextTokens: number
  readonly maxContextMessages: number
  readonly defaultChatHistoryLimit: number
  readonly recentMessagesFull: number
  readonly midRangeMessages: number
  readonly summarizationThresholdMessages: number
  readonly summaryLengthWords: number
  readonly summaryModel: string
  readonly compactionObjective: "dollars" | "tokens"
  /** Names of tools that create or command sub-agents. */
  readonly agentTools: ReadonlyArray<string>
  /** Whether contexts of the gateway's clients are compacted, unless a request says otherwise. */
  readonly gatewayContext: "off" | "compact"
  /** Whether compacted contexts of the gateway's clients say how to look up what was condensed, unless a request says otherwise. */
  readonly gatewayRecall: boolean
  readonly rateLimitTokensPerMinute: number
  readonly rateLimitOutputTokensPerMinute: Option.Option<number>
  readonly rateLimitRequestsPerMinute: Option.Option<number>
  readonly maxConcurrentRequests: number
  readonly cacheTtlMinutes: number
  readonly cacheMaxSizeMb: number
  /** Whether cached answers are kept in the database too. */
  readonly responseCachePersistent: boolean
  /** USD, as configured. */
  readonly costAlertThresholdUsd: number
  readonly costDailyBudgetUsd: Option.Option<number>
  readonly costBudgets: ReadonlyArray<BudgetSetting>
  readonly costTimeZone: string
  readonly orchestratorModel: string
  readonly modelRouting: boolean
  /** Guess the task of a request that declares none; obeyed while `modelRouting` is on. */
  readonly modelRoutingComplexity: boolean
  /** A JSON file that overrides or adds models. */
  readonly modelsFile: Option.Option<string>
  readonly adminToken: Option.Option<Redacted.Redacted>
  /** Tenant name → token. */
  readonly gatewayTokens: ReadonlyMap<string, Redacted.Redacted>
  readonly alertWebhookUrl: Option.Option<Redacted.Redacted>
  readonly logLevel: "debug" | "info" | "warning" | "error"
  readonly logFormat: "text" | "json"
  readonly requestLogLevel: "info" | "debug" | "off"
  /** Where OpenTelemetry is sent; nothing is exported without it. */
  readonly otlpEndpoint: Option.Option<Redacted.Redacted>
  /** Whether traces hold prompts and answers. */
  readonly captureContent: boolean
}

/** Settings as an embedder or a test gives them; what is left out has its default. */
export type SettingsOverrides = Partial<Omit<SettingsShape, "enabled">> & {
  readonly enabled?: Partial<SettingsShape["enabled"]>
}

/** What was found for a variable, and under which name. */
type Found = Partial<Record<VariableKey, { readonly name: string; readonly text: string }>>
type Entry = readonly [key: VariableKey, variable: Variable<unknown>]

// `Object.entries` forgets the keys' type; `variables` is a const with exactly these.
const entries = Object.entries(variables) as ReadonlyArray<Entry>

const hidden = "<hidden>"

/** Credentials inside a URL are secrets even where the URL is not. */
const printable = (text: string): string => text.replace(/\/\/\S*@/g, `//${hidden}@`)

const quoted = (text: string): string => {
  const safe = printable(text)
  return JSON.stringify(safe.length > 100 ? `${safe.slice(0, 100)}…` : safe)
}

const switches = (of: Decoded): SettingsShape["enabled"] => {
  const master = of.tokenManagementEnabled
  return {
    context: master && of.contextEnabled,
    summarization: master && of.summarizationEnabled,
    responseCache: master && of.responseCacheEnabled,
    rateLimit: master && of.rateLimitEnabled,
    costTracking: of.costTrackingEnabled,
    budget: master && of.costTrackingEnabled
  }
}

const shapeOf = (decoded: Decoded): SettingsShape => {
  const {
    contextEnabled: _context,
    summarizationEnabled: _summarization,
    responseCacheEnabled: _responseCache,
    rateLimitEnabled: _rateLimit,
    costTrackingEnabled: _costTracking,
    ...rest
  } = decoded
  return { ...rest, enabled: switches(decoded) }
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1|0:0:0:0:0:0:0:1)$/i

/** What no variable can tell alone. */
const contradiction = (settings: SettingsShape): InvalidSetting | undefined => {
  const { host, adminToken, gatewayTokens, recentMessagesFull, midRangeMessages, maxContextMessages } = settings
  const refuse = (key: VariableKey, value: string | number, accepts: string) =>
    new InvalidSetting({ variable: variables[key].name, value: JSON.stringify(value), accepts })
  if (recentMessagesFull >= midRangeMessages) {
    return refuse("recentMessagesFull", recentMessagesFull, `less than MID_RANGE_MESSAGES (${midRangeMessages})`)
  }
  if (recentMessagesFull > maxContextMessages) {
    return refuse("recentMessagesFull", recentMessagesFull, `at most MAX_CONTEXT_MESSAGES (${maxContextMessages})`)
  }
  if (!loopback.test(host) && (Option.isNone(adminToken) || gatewayTokens.size === 0)) {
    return refuse("host", host, "a loopback address like 127.0.0.1 unless ADMIN_TOKEN and GATEWAY_TOKENS are both set")
  }
  return undefined
}

const decode = (found: Found): Result.Result<SettingsShape, InvalidSetting> => {
  const decoded: Partial<Record<VariableKey, unknown>> = {}
  for (const [key, variable] of entries) {
    const { name, text } = found[key] ?? { name: variable.name, text: variable.fallback }
    const value = variable.decode(text)
    if (Option.isNone(value)) {
      const shownValue = variable.secret ? hidden : quoted(text)
      return Result.fail(new InvalidSetting({ variable: name, value: shownValue, accepts: variable.accepts }))
    }
    decoded[key] = value.value
  }
  // Every key of `variables` was just decoded by its own variable.
  const settings = shapeOf(decoded as Decoded)
  const wrong = contradiction(settings)
  return wrong === undefined ? Result.succeed(settings) : Result.fail(wrong)
}

/** The variable's text, if any; blank counts as absent. */
const textOf = (name: string) =>
  Config.option(Config.String(name)).pipe(
    Effect.map((text) => Option.getOrElse(text, () => "").trim()),
    Effect.mapError((error) => new InvalidSetting({ variable: name, value: "?", accepts: `a text (${error.message})` }))
  )

const find = Effect.fnUntraced(function* ({ name, formerly }: Variable<unknown>) {
  const text = yield* textOf(name)
  const former = formerly === undefined ? "" : yield* textOf(formerly)
  if (formerly === undefined || former === "") return { name, text }
  const fate = text === "" ? "It is read for now" : `It is ignored, because ${name} is set`
  yield* Effect.logWarning(`${formerly} is the old name of ${name}. ${fate}; please rename it.`)
  return text === "" ? { name: formerly, text: former } : { name, text }
})

/** What exporters read by themselves is looked at first: they would end the start with a defect. */
const checkTelemetry = Effect.forEach(
  telemetryVariables,
  ({ accepts, config, name, secret }) =>
    Effect.catch(Config.option(config), () =>
      Effect.flatMap(textOf(name), (text) =>
        Effect.fail(new InvalidSetting({ variable: name, value: secret ? hidden : quoted(text), accepts }))
      )
    ),
  { discard: true }
)

const read = Effect.gen(function* () {
  const found: Found = {}
  for (const [key, variable] of entries) {
    const given = yield* find(variable)
    if (given.text !== "") found[key] = given
  }
  const settings = yield* Effect.fromResult(decode(found))
  if (Option.isSome(settings.otlpEndpoint)) yield* checkTelemetry
  return settings
})

/** What holds when no variable is set. */
export const defaults: SettingsShape = Result.getOrThrow(decode({}))

const override = ({ enabled, ...rest }: SettingsOverrides): SettingsShape => {
  const settings = { ...defaults, ...rest }
  const off = { context: false, summarization: false, responseCache: false, rateLimit: false, budget: false }
  const effective = settings.tokenManagementEnabled ? defaults.enabled : { ...defaults.enabled, ...off }
  return { ...settings, enabled: { ...effective, ...enabled } }
}

/** Every setting, decoded once from the environment. */
export class Settings extends Context.Service<Settings, SettingsShape>()("sluice/Settings") {
  /** From the environment (the current `ConfigProvider`). Fails with `InvalidSetting`, whose message is one line. */
  static readonly layer = Layer.effect(this, read)

  /** The defaults with `overrides` on top; looks at no environment. For embedders and tests. */
  static readonly layerWith = (overrides: SettingsOverrides): Layer.Layer<Settings> =>
    Layer.succeed(Settings, override(overrides))
}

const isBudget = Schema.is(BudgetSetting)

const shown = (value: unknown): string => {
  if (Option.isOption(value)) return Option.match(value, { onNone: () => "(none)", onSome: shown })
  if (Redacted.isRedacted(value)) return hidden
  if (value instanceof Map)
    return value.size === 0 ? "(none)" : [...value.keys()].map((name) => `${name}=${hidden}`).join(",")
  if (Array.isArray(value)) return value.length === 0 ? "(none)" : value.map(shown).join(",")
  if (isBudget(value)) return `${value.scope}:${value.name}=${value.usd}`
  return printable(String(value))
}

/** `NAME=value` for every variable, to be logged at start. Holds no secret; switches show what they come to. */
export const settingsReport = ({ enabled, ...rest }: SettingsShape): ReadonlyArray<string> => {
  const values: Decoded = {
    ...rest,
    contextEnabled: enabled.context,
    summarizationEnabled: enabled.summarization,
    responseCacheEnabled: enabled.responseCache,
    rateLimitEnabled: enabled.rateLimit,
    costTrackingEnabled: enabled.costTracking
  }
  return entries.map(([key, { name }]) => `${name}=${shown(values[key])}`)
}
