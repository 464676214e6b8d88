/** The direction of imports, as docs/architecture.md draws it: a room may import the rooms to its right, never back. */
const core = {
  domain: [],
  models: ["domain"],
  tokens: ["domain", "models"],
  events: ["domain"],
  chat: ["domain"],
  access: ["domain"],
  cache: ["domain", "models", "tokens", "events"],
  limits: ["domain", "models", "tokens", "events", "access"],
  costs: ["domain", "models", "tokens", "events", "access"],
  claude: ["domain", "models", "tokens", "events", "testing/simulator"],
  governor: ["domain", "models", "tokens", "events", "cache", "limits", "costs", "claude"],
  context: ["domain", "models", "tokens", "events", "chat"],
  orchestrator: ["domain", "models", "tokens", "events", "chat", "context", "governor", "costs"]
}

const everyCore = Object.keys(core)
const rooms = {
  ...core,
  observability: everyCore.filter((name) => name !== "orchestrator"),
  http: [...everyCore, "observability"],
  cli: [...everyCore, "observability", "http", "testing"],
  testing: [...everyCore, "http"]
}

const oneOf = (names) => `(${names.join("|")})`
const room = (name) => `^src/${name}/`

const directions = Object.entries(rooms).map(([name, targets]) => ({
  name: `${name}-direction`,
  comment: `${name} may import only: ${targets.join(", ") || "nothing but effect"}`,
  severity: "error",
  from: { path: room(name) },
  to: { path: "^src/[^/]+/", pathNot: room(oneOf([name, ...targets])) }
}))

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "no-missing", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...directions,
    {
      name: "rooms-are-known",
      comment: "a new folder of src/ needs its direction in this file",
      severity: "error",
      from: {},
      to: { path: "^src/[^/]+/", pathNot: room(oneOf(Object.keys(rooms))) }
    },
    {
      name: "top-level-is-known",
      comment: "what lies directly in src/ is composition, or Settings",
      severity: "error",
      from: {},
      to: {
        path: "^src/[^/]+$",
        pathNot: "^src/(App|main|index|version|Settings|SettingsKinds|SettingsTable|SettingsTelemetry)\\.ts$"
      }
    },
    {
      name: "domain-imports-only-effect",
      severity: "error",
      from: { path: room("domain") },
      to: { pathNot: "^(src/domain/|node_modules/effect/)" }
    },
    {
      name: "settings-and-version-are-leaves",
      severity: "error",
      from: { path: "^src/(Settings\\w*|version)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/Settings(Kinds|Table|Telemetry)\\.ts$" }
    },
    {
      name: "settings-have-one-door",
      comment: "everybody asks the Settings service; the table of variables is its own affair",
      severity: "error",
      from: { pathNot: "^src/Settings(Table)?\\.ts$" },
      to: { path: "^src/Settings(Kinds|Table|Telemetry)\\.ts$" }
    },
    {
      name: "only-claude-imports-the-sdk",
      severity: "error",
      from: { pathNot: room("claude") },
      to: { path: "node_modules/@anthropic-ai/sdk" }
    },
    {
      name: "testing-stays-outside",
      comment: "only the composition and the command line know the test doubles; claude/ knows the simulator",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(testing/|cli/|claude/|App\\.ts$)" },
      to: { path: room("testing") }
    },
    {
      name: "the-simulator-stands-alone",
      comment:
        "claude/ imports it, so it may import what lies below claude/, the API's rules, and the interface it implements",
      severity: "error",
      from: { path: "^src/testing/(simulator/|rules/|ApiRules\\.ts$)" },
      to: {
        path: "^src/",
        pathNot: "^src/(testing/(simulator/|rules/|ApiRules\\.ts$)|domain/|models/|claude/(Wire|ClaudeError)\\.ts$)"
      }
    },
    {
      name: "nobody-imports-the-composition",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/|main\\.ts$|index\\.ts$|testing/)" },
      to: { path: "^src/(App|main|index)\\.ts$" }
    },
    {
      name: "no-development-tools-at-run-time",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^src/dashboard/" },
    parser: "swc",
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"]
    }
  }
}
