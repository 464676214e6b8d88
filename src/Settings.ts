import { Context, type Option, type Redacted } from "effect"

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
  readonly rateLimitTokensPerMinute: number
  readonly rateLimitOutputTokensPerMinute: Option.Option<number>
  readonly rateLimitRequestsPerMinute: Option.Option<number>
  readonly maxConcurrentRequests: number
  readonly cacheTtlMinutes: number
  readonly cacheMaxSizeMb: number
  /** USD, as configured. */
  readonly costAlertThresholdUsd: number
  readonly costDailyBudgetUsd: Option.Option<number>
  readonly costTimeZone: string
  readonly orchestratorModel: string
  readonly modelRouting: boolean
  /** A JSON file that overrides or adds models. */
  readonly modelsFile: Option.Option<string>
  readonly adminToken: Option.Option<Redacted.Redacted>
  /** Tenant name → token. */
  readonly gatewayTokens: ReadonlyMap<string, Redacted.Redacted>
  readonly alertWebhookUrl: Option.Option<Redacted.Redacted>
}

export class Settings extends Context.Service<Settings, SettingsShape>()("sluice/Settings") {}
