/** The direction of imports, as docs/architecture.md draws it: a room may import the rooms to its right, never back. */
const rooms = {
  domain: [],
  models: ["domain"],
  tokens: ["domain", "models"],
  events: ["domain"],
  chat: ["domain"],
  cache: ["domain", "models", "tokens", "events"],
  limits: ["domain", "models", "tokens", "events"],
  costs: ["domain", "models", "tokens", "events"],
  claude: ["domain", "models", "tokens", "events"],
  governor: ["domain", "models", "tokens", "events", "cache", "limits", "costs", "claude"],
  context: ["domain", "models", "tokens", "events", "chat"],
  orchestrator: ["domain", "models", "tokens", "events", "chat", "context", "governor", "costs"]
}

const allowed = Object.entries(rooms).map(([room, targets]) => ({
  name: `${room}-direction`,
  comment: `${room} may import only: ${targets.join(", ") || "nothing but effect"}`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: { path: "^src/", pathNot: `^src/(Settings\\.ts|${[room, ...targets].map((name) => `${name}/`).join("|")})` }
}))

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    ...allowed,
    {
      name: "domain-imports-only-effect",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { pathNot: "^(src/domain/|node_modules/effect/)" }
    },
    {
      name: "settings-is-a-leaf",
      severity: "error",
      from: { path: "^src/Settings\\.ts$" },
      to: { path: "^src/" }
    },
    {
      name: "only-claude-imports-the-sdk",
      comment: "claude/ is the only room that knows the SDK",
      severity: "error",
      from: { pathNot: "^src/claude/" },
      to: { path: "node_modules/@anthropic-ai/sdk" }
    },
    {
      name: "testing-stays-outside",
      comment: "only the composition, the command line and testing itself know the test doubles",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(testing/|cli/|App\\.ts)" },
      to: { path: "^src/testing/" }
    },
    {
      name: "nobody-imports-the-composition",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/|main\\.ts|index\\.ts|testing/)" },
      to: { path: "^src/(App|main|index)\\.ts$" }
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
