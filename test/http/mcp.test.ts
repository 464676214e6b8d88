import { assert, layer } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { call, json, server } from "./fakes.ts"

const tokens = {
  gatewayTokens: new Map([
    ["default", Redacted.make("default-token")],
    ["acme", Redacted.make("acme-token")]
  ])
}

const ask = (method: string, params?: object, headers: Record<string, string> = {}) =>
  call("POST", "/mcp", {
    headers: { accept: "application/json, text/event-stream", ...headers },
    body: { jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) }
  })

const recall = (input: object, headers: Record<string, string> = {}) =>
  Effect.map(ask("tools/call", { name: "recall_history", arguments: input }, headers), json)

layer(server())("the MCP endpoint", (it) => {
  it.effect("agrees on a version, and offers its own for one that it does not speak", () =>
    Effect.gen(function* () {
      for (const [asked, agreed] of [
        ["2025-06-18", "2025-06-18"],
        ["2025-11-25", "2025-11-25"],
        ["1999-01-01", "2025-11-25"]
      ]) {
        const answer = yield* ask("initialize", { protocolVersion: asked, capabilities: {}, clientInfo: { name: "x" } })
        assert.strictEqual(answer.headers["mcp-session-id"], undefined)
        const { result } = json(answer)
        assert.deepInclude(result, { protocolVersion: agreed, capabilities: { tools: {} } })
        assert.strictEqual(result.serverInfo.name, "sluice")
      }
    })
  )

  it.effect("has one tool, which finds messages of stored conversations", () =>
    Effect.gen(function* () {
      const { tools } = json(yield* ask("tools/list")).result
      assert.deepStrictEqual(
        tools.map(({ name }: { name: string }) => name),
        ["recall_history"]
      )
      assert.deepStrictEqual(tools[0].inputSchema.required, ["conversation"])
      const { result } = yield* recall({ conversation: "c1", query: "message 3", to_message: 3 })
      assert.isFalse(result.isError)
      assert.match(
        result.content[0].text,
        /^\[From the stored conversation\]\n\n\[message 3, assistant, [^\n]*\]\nmessage 3\n/
      )
    })
  )

  it.effect("tells the model what it did wrong", () =>
    Effect.gen(function* () {
      const empty = (yield* recall({ conversation: "c1" })).result
      assert.isTrue(empty.isError)
      assert.include(empty.content[0].text, "recall_history takes { query?")
      const unknown = (yield* recall({ conversation: "none", query: "x" })).result
      assert.isTrue(unknown.isError)
      assert.include(unknown.content[0].text, 'There is no conversation "none".')
      const forgotten = (yield* recall({ conversation: `gw_${"0".repeat(24)}`, query: "x" })).result
      assert.isTrue(forgotten.isError)
      assert.include(forgotten.content[0].text, "The gateway holds no conversation")
    })
  )

  it.effect("answers what is no call of its methods with JSON-RPC's codes", () =>
    Effect.gen(function* () {
      const codeOf = (answer: { readonly text: string }) => JSON.parse(answer.text).error.code
      assert.strictEqual(codeOf(yield* ask("resources/list")), -32601)
      assert.strictEqual(codeOf(yield* ask("tools/call", { name: "other", arguments: { conversation: "c1" } })), -32602)
      assert.strictEqual(codeOf(yield* ask("tools/call", { name: "recall_history", arguments: {} })), -32602)
      assert.strictEqual(codeOf(yield* ask("initialize", {})), -32602)
      for (const [raw, code] of [
        ["{", -32700],
        ["[]", -32600],
        ['{"id":1}', -32600],
        ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600]
      ] as const) {
        const answer = yield* call("POST", "/mcp", { raw })
        assert.deepStrictEqual([answer.status, codeOf(answer)], [400, code])
      }
    })
  )

  it.effect("takes notifications in silence, and nothing but POST", () =>
    Effect.gen(function* () {
      const notified = yield* call("POST", "/mcp", { body: { jsonrpc: "2.0", method: "notifications/initialized" } })
      assert.deepStrictEqual([notified.status, notified.text], [202, ""])
      assert.deepStrictEqual(json(yield* ask("ping")).result, {})
      for (const method of ["GET", "DELETE"] as const) {
        const answer = yield* call(method, "/mcp")
        assert.deepStrictEqual([answer.status, answer.headers.allow], [405, "POST"])
      }
    })
  )

  it.effect("refuses other sites' pages, other versions and large bodies", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("ping", {}, { origin: "https://evil.example" })).status, 403)
      assert.strictEqual((yield* ask("ping", {}, { "mcp-protocol-version": "1999-01-01" })).status, 400)
      assert.strictEqual((yield* ask("ping", { x: "x".repeat(70_000) })).status, 413)
    })
  )
})

layer(server({ settings: tokens }))("the MCP endpoint and tenants", (it) => {
  it.effect("shows a tenant its own conversations only, and nothing without a token", () =>
    Effect.gen(function* () {
      const found = (conversation: string, token: string) =>
        Effect.map(
          recall({ conversation, query: "message" }, { authorization: `Bearer ${token}` }),
          ({ result }) => !result.isError
        )
      assert.isTrue(yield* found("c1", "default-token"))
      assert.isFalse(yield* found("c1", "acme-token"))
      assert.isTrue(yield* found("c3", "acme-token"))
      assert.isFalse(yield* found("c1", "sk-ant-somebody"))
      for (const headers of [{}, { authorization: "Bearer wrong" }]) {
        const answer = yield* ask("tools/list", undefined, headers)
        assert.deepStrictEqual([answer.status, answer.headers["www-authenticate"]], [401, "Bearer"])
      }
    })
  )
})

layer(server({ settings: { adminToken: Option.some(Redacted.make("the-admin")) } }))(
  "the MCP endpoint and the operator",
  (it) => {
    it.effect("needs ADMIN_TOKEN where there is one", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask("tools/list")).status, 401)
        const { result } = yield* recall({ conversation: "c3", query: "message" }, { "x-api-key": "the-admin" })
        assert.isFalse(result.isError)
      })
    )
  }
)
