import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Logger, Option, Redacted, References } from "effect"
import { defaults, type InvalidSetting, Settings, type SettingsShape, settingsReport } from "../../src/Settings.ts"
import { variables } from "../../src/SettingsTable.ts"

type Env = Record<string, string>

const load = (env: Env): Effect.Effect<SettingsShape, InvalidSetting> =>
  Effect.provide(Settings, Settings.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))))

const refused = (env: Env) => Effect.flip(load(env))

const tokens = { ADMIN_TOKEN: "admin", GATEWAY_TOKENS: "team=secret" }

/** For each variable: what it takes, and what it refuses. */
const cases: Record<string, { readonly good: ReadonlyArray<string>; readonly bad: ReadonlyArray<string> }> = {
  ANTHROPIC_API_KEY: { good: ["sk-ant-1"], bad: ["two words"] },
  ANTHROPIC_BASE_URL: { good: ["http://127.0.0.1:8080/x"], bad: ["api.anthropic.com", "ftp://x", "http://"] },
  ORCHESTRATOR_MODEL: { good: ["opus", "claude-opus-4-6[1m]"], bad: ["claude opus"] },
  MODEL_ROUTING: { good: ["on", "off", "TRUE"], bad: ["maybe", "2"] },
  MODEL_ROUTING_COMPLEXITY: { good: ["on", "off", "no"], bad: ["maybe", "2"] },
  MODELS_FILE: { good: ["my models.json"], bad: [] },
  HOST: { good: ["localhost", "::1", "127.1.2.3"], bad: ["127.0.0.1:80", "a b", "http://x"] },
  PORT: { good: ["0", "80", "65535"], bad: ["65536", "-1", "abc", "80.5", "1e3", "0x50"] },
  ADMIN_TOKEN: { good: ["x=y,z"], bad: ["a b"] },
  GATEWAY_TOKENS: { good: ["a=b", "a=b==, c=d"], bad: ["a", "=b", "a=", "a=b,a=c", "a=b,c=b", "a=b,,c=d", "a b=c"] },
  DATA_DIR: { good: ["/var/lib/my sluice"], bad: [] },
  DATABASE_URL: { good: ["postgres://u:p@h:5432/d", "postgresql:///d?host=/tmp"], bad: ["mysql://h/d", "h:5432"] },
  REDIS_URL: { good: ["redis://h:6379/0", "rediss://:p@h"], bad: ["http://h", "h:6379"] },
  TOKEN_MANAGEMENT_ENABLED: { good: ["false", "0", "no"], bad: ["nope"] },
  CONTEXT_ENABLED: { good: ["off"], bad: ["nope"] },
  SUMMARIZATION_ENABLED: { good: ["off"], bad: ["nope"] },
  RESPONSE_CACHE_ENABLED: { good: ["off"], bad: ["nope"] },
  RATE_LIMIT_ENABLED: { good: ["off"], bad: ["nope"] },
  COST_TRACKING_ENABLED: { good: ["off"], bad: ["nope"] },
  MAX_CONTEXT_TOKENS: { good: ["1000", "900000"], bad: ["999", "50k", "50_000", "50000.5"] },
  MAX_CONTEXT_MESSAGES: { good: ["30"], bad: ["0", "29"] },
  DEFAULT_CHAT_HISTORY_LIMIT: { good: ["1"], bad: ["0", "many"] },
  RECENT_MESSAGES_FULL: { good: ["1", "99"], bad: ["0", "100", "-3"] },
  MID_RANGE_MESSAGES: { good: ["31"], bad: ["30", "1"] },
  SUMMARIZATION_THRESHOLD_MESSAGES: { good: ["1"], bad: ["0", "x"] },
  SUMMARY_LENGTH_WORDS: { good: ["20", "10000"], bad: ["19", "10001"] },
  SUMMARY_MODEL: { good: ["haiku"], bad: ["a b"] },
  COMPACTION_OBJECTIVE: { good: ["tokens", "dollars"], bad: ["euros", "Dollars"] },
  AGENT_TOOLS: { good: ["Task", "a, mcp__x__spawn"], bad: ["a,,b", "a b"] },
  GATEWAY_CONTEXT: { good: ["compact", "off"], bad: ["on", "Compact"] },
  GATEWAY_RECALL: { good: ["on", "off", "TRUE"], bad: ["maybe", "2"] },
  RATE_LIMIT_TOKENS_PER_MINUTE: { good: ["1"], bad: ["0", "unlimited"] },
  RATE_LIMIT_OUTPUT_TOKENS_PER_MINUTE: { good: ["80000"], bad: ["0", "none"] },
  RATE_LIMIT_REQUESTS_PER_MINUTE: { good: ["60"], bad: ["0", "none"] },
  MAX_CONCURRENT_REQUESTS: { good: ["1"], bad: ["0", "100001"] },
  CACHE_TTL_MINUTES: { good: ["5"], bad: ["0", "5m"] },
  RESPONSE_CACHE_PERSISTENT: { good: ["on", "off"], bad: ["sometimes"] },
  COST_BUDGETS: {
    good: ["tenant:acme=5", "agent:summarizer=1, model:claude-opus-4-6[1m]=20,conversation:*=0.50", "tenant:a:b=1"],
    bad: ["acme=5", "team:acme=5", "tenant:acme", "tenant:=5", "tenant:a=0", "tenant:a=$5", "tenant:a=5,tenant:a=6"]
  },
  CACHE_MAX_SIZE_MB: { good: ["1"], bad: ["0", "1GB"] },
  COST_ALERT_THRESHOLD_USD: { good: ["2.50", "1000000"], bad: ["0", "-1", "$5", "1,50", "1e3", "1000000.01"] },
  COST_DAILY_BUDGET_USD: { good: ["0.01"], bad: ["0", "none", "NaN"] },
  COST_TIME_ZONE: { good: ["Europe/Berlin", "UTC"], bad: ["Mars/Olympus", "+02:00", "Berlin time"] },
  ALERT_WEBHOOK_URL: { good: ["https://hooks.example/x", "https://hooks.example/x#secret"], bad: ["hooks.example"] },
  LOG_LEVEL: { good: ["debug", "error"], bad: ["trace", "INFO!"] },
  LOG_FORMAT: { good: ["json", "text"], bad: ["xml"] },
  REQUEST_LOG_LEVEL: { good: ["debug", "off"], bad: ["error"] },
  OTEL_EXPORTER_OTLP_ENDPOINT: { good: ["http://127.0.0.1:4318"], bad: ["127.0.0.1:4318"] },
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: { good: ["true"], bad: ["maybe"] }
}

describe("Settings, variable by variable", () => {
  it("has cases for every variable", () => {
    assert.deepStrictEqual(
      Object.keys(cases).toSorted(),
      Object.values(variables)
        .map(({ name }) => name)
        .toSorted()
    )
  })

  for (const { name, secret } of Object.values(variables)) {
    const { good = [], bad = [] } = cases[name] ?? {}
    for (const value of good) {
      it.effect(`${name}=${value} is taken`, () => load({ [name]: value }))
    }
    for (const wrong of bad) {
      it.effect(`${name}=${wrong} is refused in one line`, () =>
        Effect.gen(function* () {
          const error = yield* refused({ [name]: wrong })
          assert.strictEqual(error._tag, "InvalidSetting")
          const value = secret ? "<hidden>" : "\\S.*"
          assert.match(error.message, new RegExp(`^[A-Z_]+=${value} is not accepted: it takes .{3,}\\.$`))
          assert.include(error.message, name)
        })
      )
    }
    it.effect(`${name}: empty and blank count as absent`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* load({ [name]: "" }), defaults)
        assert.deepStrictEqual(yield* load({ [name]: "  " }), defaults)
      })
    )
  }
})

describe("Settings", () => {
  it.effect("the defaults are those of the design", () =>
    Effect.gen(function* () {
      const settings = yield* load({})
      assert.deepStrictEqual(settings, defaults)
      assert.include(settings, {
        anthropicBaseUrl: "https://api.anthropic.com",
        host: "127.0.0.1",
        port: 9403,
        dataDir: ".sluice",
        tokenManagementEnabled: true,
        maxContextTokens: 50_000,
        maxContextMessages: 200,
        defaultChatHistoryLimit: 300,
        recentMessagesFull: 30,
        midRangeMessages: 100,
        summarizationThresholdMessages: 20,
        summaryLengthWords: 200,
        summaryModel: "claude-haiku-5-5",
        compactionObjective: "dollars",
        rateLimitTokensPerMinute: 400_000,
        maxConcurrentRequests: 50,
        cacheTtlMinutes: 60,
        cacheMaxSizeMb: 100,
        costAlertThresholdUsd: 10,
        costTimeZone: "UTC",
        orchestratorModel: "claude-sonnet-5-5",
        modelRouting: false
      })
      assert.isTrue(Object.values(settings.enabled).every((on) => on))
      assert.isTrue(Option.isNone(settings.costDailyBudgetUsd))
      assert.isTrue(Option.isNone(settings.rateLimitOutputTokensPerMinute))
      assert.includeMembers([...settings.agentTools], ["Task", "Agent", "create_agent", "command_agent"])
    })
  )

  it.effect("reads values of every kind", () =>
    Effect.gen(function* () {
      const settings = yield* load({
        ...tokens,
        HOST: " 0.0.0.0 ",
        ANTHROPIC_BASE_URL: "http://127.0.0.1:1/",
        ANTHROPIC_API_KEY: "sk-ant-1",
        COST_DAILY_BUDGET_USD: "2.50",
        COST_BUDGETS: "tenant:acme=5, model:*=0.25",
        AGENT_TOOLS: "a, b",
        GATEWAY_TOKENS: "one=x==,two=y",
        MODEL_ROUTING: "on"
      })
      assert.strictEqual(settings.host, "0.0.0.0")
      assert.strictEqual(settings.anthropicBaseUrl, "http://127.0.0.1:1")
      assert.strictEqual(Option.getOrThrow(Option.map(settings.anthropicApiKey, Redacted.value)), "sk-ant-1")
      assert.deepStrictEqual(settings.costDailyBudgetUsd, Option.some(2.5))
      assert.deepStrictEqual(settings.costBudgets, [
        { scope: "tenant", name: "acme", usd: 5 },
        { scope: "model", name: "*", usd: 0.25 }
      ])
      assert.include(settingsReport(settings), "COST_BUDGETS=tenant:acme=5,model:*=0.25")
      assert.deepStrictEqual(settings.agentTools, ["a", "b"])
      assert.deepStrictEqual(
        [...settings.gatewayTokens].map(([name, token]) => [name, Redacted.value(token)]),
        [
          ["one", "x=="],
          ["two", "y"]
        ]
      )
      assert.isTrue(settings.modelRouting)
    })
  )

  it.effect("other variables beginning with the same words do not disturb", () =>
    Effect.map(load({ PORT: "80", PORT_0: "x", HOST_NAME: "y", DATABASE: "z" }), ({ port }) =>
      assert.strictEqual(port, 80)
    )
  )

  it.effect("the message names variable, value and what is accepted", () =>
    Effect.gen(function* () {
      const port = yield* refused({ PORT: "abc" })
      assert.strictEqual(port.message, 'PORT="abc" is not accepted: it takes a whole number from 0 to 65535.')
      const database = yield* refused({ DATABASE_URL: "mysql://u:hunter2@h" })
      assert.match(database.message, /^DATABASE_URL=<hidden> is not accepted/)
      const base = yield* refused({ ANTHROPIC_BASE_URL: `ftp://u:hunter2${"x".repeat(200)}@h\nnext` })
      assert.notInclude(base.message, "hunter2")
      assert.notInclude(base.message, "\n")
    })
  )

  it.effect("the master switch turns everything off except counting costs", () =>
    Effect.gen(function* () {
      const { enabled } = yield* load({ TOKEN_MANAGEMENT_ENABLED: "false" })
      assert.deepStrictEqual(enabled, {
        context: false,
        summarization: false,
        responseCache: false,
        rateLimit: false,
        costTracking: true,
        budget: false
      })
      const single = yield* load({ RATE_LIMIT_ENABLED: "false", COST_TRACKING_ENABLED: "false" })
      assert.deepStrictEqual(single.enabled, {
        ...defaults.enabled,
        rateLimit: false,
        costTracking: false,
        budget: false
      })
    })
  )

  for (const host of ["0.0.0.0", "::", "192.168.1.4", "example.org", "127.example.org"]) {
    it.effect(`HOST=${host} needs both tokens`, () =>
      Effect.gen(function* () {
        const error = yield* refused({ HOST: host })
        assert.strictEqual(error.variable, "HOST")
        assert.include(error.message, "ADMIN_TOKEN and GATEWAY_TOKENS")
        yield* refused({ HOST: host, ADMIN_TOKEN: "x" })
        yield* refused({ HOST: host, GATEWAY_TOKENS: "a=b" })
        yield* load({ HOST: host, ...tokens })
      })
    )
  }

  it.effect("RECENT_MESSAGES_FULL fits below MID_RANGE_MESSAGES and into MAX_CONTEXT_MESSAGES", () =>
    Effect.gen(function* () {
      const mid = yield* refused({ MID_RANGE_MESSAGES: "30" })
      assert.include(mid.message, "RECENT_MESSAGES_FULL=30 is not accepted: it takes less than MID_RANGE_MESSAGES (30)")
      const most = yield* refused({ MAX_CONTEXT_MESSAGES: "29" })
      assert.include(most.message, "at most MAX_CONTEXT_MESSAGES (29)")
    })
  )
})

describe("MAX_MESSAGES_IN_MEMORY", () => {
  const warned = (env: Env) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return load(env).pipe(
      Effect.map((settings) => ({ settings, lines })),
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "Warn")
    )
  }

  it.effect("is read in place of RECENT_MESSAGES_FULL, with a warning", () =>
    Effect.gen(function* () {
      const { settings, lines } = yield* warned({ MAX_MESSAGES_IN_MEMORY: "10" })
      assert.strictEqual(settings.recentMessagesFull, 10)
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], "old name of RECENT_MESSAGES_FULL")
    })
  )

  it.effect("gives way to the new name", () =>
    Effect.gen(function* () {
      const { settings, lines } = yield* warned({ MAX_MESSAGES_IN_MEMORY: "10", RECENT_MESSAGES_FULL: "12" })
      assert.strictEqual(settings.recentMessagesFull, 12)
      assert.include(lines[0], "ignored")
      assert.deepStrictEqual((yield* warned({ RECENT_MESSAGES_FULL: "12" })).lines, [])
    })
  )

  it.effect("is named when it is wrong", () =>
    Effect.map(refused({ MAX_MESSAGES_IN_MEMORY: "ten" }), ({ variable }) =>
      assert.strictEqual(variable, "MAX_MESSAGES_IN_MEMORY")
    )
  )
})

describe("Settings.layerWith", () => {
  it.effect("is the defaults with overrides on top, whatever the environment says", () =>
    Effect.gen(function* () {
      const settings = yield* Effect.provide(Settings, Settings.layerWith({ port: 1, enabled: { rateLimit: false } }))
      assert.deepStrictEqual(settings, { ...defaults, port: 1, enabled: { ...defaults.enabled, rateLimit: false } })
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ PORT: "abc" }))))
  )

  it.effect("obeys the master switch", () =>
    Effect.gen(function* () {
      const { enabled } = yield* Effect.provide(Settings, Settings.layerWith({ tokenManagementEnabled: false }))
      assert.isFalse(enabled.context || enabled.summarization || enabled.responseCache || enabled.rateLimit)
      assert.isTrue(enabled.costTracking)
      assert.isFalse(enabled.budget)
    })
  )
})

describe("settingsReport", () => {
  it.effect("has a line for every variable and holds no secret", () =>
    Effect.gen(function* () {
      const secrets = Object.values(variables).filter(({ secret }) => secret)
      const given: Env = {
        ANTHROPIC_API_KEY: "sk-hunter2",
        ADMIN_TOKEN: "hunter2",
        GATEWAY_TOKENS: "team=hunter2",
        DATABASE_URL: "postgres://u:hunter2@h/d",
        REDIS_URL: "redis://:hunter2@h",
        ALERT_WEBHOOK_URL: "https://hooks.example/hunter2",
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/hunter2",
        ANTHROPIC_BASE_URL: "https://user:hunter2@proxy.example"
      }
      for (const { name } of secrets) assert.property(given, name)
      const settings = yield* load(given)
      const lines = settingsReport(settings)
      assert.deepStrictEqual(
        lines.map((line) => line.split("=")[0]),
        Object.values(variables).map(({ name }) => name)
      )
      assert.notInclude(lines.join("\n"), "hunter2")
      assert.notInclude(JSON.stringify(settings), "sk-hunter2")
      assert.includeMembers(
        [...lines],
        [
          "ANTHROPIC_API_KEY=<hidden>",
          "GATEWAY_TOKENS=team=<hidden>",
          "MODELS_FILE=(none)",
          "PORT=9403",
          "ANTHROPIC_BASE_URL=https://<hidden>@proxy.example"
        ]
      )
    })
  )

  it.effect("an invalid secret never reaches the cause either", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(load({ DATABASE_URL: "mysql://u:hunter2@h" }))
      assert.isTrue(Exit.isFailure(exit))
      assert.notInclude(JSON.stringify(exit), "hunter2")
    })
  )
})
