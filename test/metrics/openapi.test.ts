import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as App from "../../src/App.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { serve } from "../../src/http/Server.ts"
import { Settings } from "../../src/Settings.ts"
import { temporary } from "../cli/service.ts"
import type { Loose } from "../http/fakes.ts"
import { address } from "./support.ts"

/** The real services over the simulator and a real database, on a real port. */
const running = serve.pipe(
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.provide(App.layerServices),
  Layer.provide([Claude.layerSimulated, Database.layerMemory]),
  Layer.provide(Layer.unwrap(Effect.map(temporary, (dataDir) => Settings.layerWith({ dataDir }))))
)

const edges = [
  "",
  " ",
  "0",
  "-1",
  "1e308",
  "9007199254740993",
  "NaN",
  "null",
  "true",
  "2026-02-31",
  "2026-11-20",
  "../../etc/passwd",
  "%00",
  "\u0000",
  "\ud83d\ude00",
  "'; DROP TABLE ledger; --",
  "<script>",
  "__proto__",
  "a".repeat(5_000)
]

const deep = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`
const message = { role: "user", content: "Say hello." }

const bodies: ReadonlyArray<string | undefined> = [
  undefined,
  "",
  "{",
  "null",
  "[]",
  "{}",
  "0",
  '"text"',
  deep(20_000),
  '{"__proto__":{"admin":true}}',
  JSON.stringify({ title: "a", tenant: "b", model: "c" }),
  JSON.stringify({ title: "a".repeat(501) }),
  JSON.stringify({ tenant: "", model: "" }),
  JSON.stringify({ tenant: "\u0000", title: "\u0000", model: "\u0000" }),
  JSON.stringify({ content: "" }),
  JSON.stringify({ content: "hello \u0000 \ud800" }),
  JSON.stringify({ content: [{ type: "text", text: "hello" }], priority: "interactive" }),
  JSON.stringify({ content: [{ type: "tool_result", tool_use_id: "nobody", content: "x" }] }),
  JSON.stringify({ content: [{ type: "nonsense" }], model: "no such model" }),
  JSON.stringify({ content: "x", model: "a".repeat(201), agent: "", priority: "urgent" }),
  JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 10, messages: [message] }),
  JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 10, messages: [message], stream: true }),
  JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: -1, messages: [] }),
  JSON.stringify({ model: 5, max_tokens: "x", messages: {} }),
  JSON.stringify({ name: "x", agent: "\u0000", budgetUsd: -1 }),
  JSON.stringify({ by: "", reason: -1.5, entries: [null] }),
  JSON.stringify({ content: "y".repeat(200_000) })
]

/** Park and Miller's: the same run every time. */
const dice = (seed: number) => () => {
  seed = (seed * 48_271) % 2_147_483_647
  return seed / 2_147_483_647
}

interface Route {
  readonly method: string
  readonly path: string
  readonly query: ReadonlyArray<string>
}

const routesOf = (document: Loose): ReadonlyArray<Route> =>
  Object.entries<Loose>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Loose>(methods).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.filter((p: Loose) => p.in === "query").map((p: Loose) => p.name)
    }))
  )

const undeclared: ReadonlyArray<Route> = [
  { method: "POST", path: "/v1/messages", query: ["beta"] },
  { method: "POST", path: "/v1/messages/count_tokens", query: [] },
  { method: "GET", path: "/v1/models", query: ["limit"] },
  { method: "GET", path: "/v1/models/{id}", query: [] },
  { method: "GET", path: "/ws", query: ["since"] },
  { method: "DELETE", path: "/api/conversations/{id}", query: [] },
  { method: "GET", path: "/no/such/page", query: ["x"] }
]

const ask = (url: string, { method, path, query }: Route, random: () => number, known: string) => {
  const pick = <A>(from: ReadonlyArray<A>): A | undefined => from[Math.floor(random() * from.length)]
  const filled = path.replace(/\{\w+\}/g, () =>
    random() < 0.4 ? known : encodeURIComponent(pick(edges)?.toWellFormed() ?? "")
  )
  const chosen = query.filter(() => random() < 0.7)
  const search = chosen.map((name) => `${name}=${encodeURIComponent(pick(edges) ?? "")}`).join("&")
  const body = method === "GET" ? undefined : pick(bodies)
  const type = pick(["application/json", "application/json", "application/json", "text/plain", ""]) ?? ""
  return { url: `${url}${filled}?${search}`, method, body, type }
}

const send = ({ body, method, type, url }: ReturnType<typeof ask>) =>
  Effect.promise(async () => {
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(20_000)])
    const what = `${method} ${url.slice(0, 200)} ${type} ${body?.slice(0, 100)}`
    try {
      const response = await fetch(url, {
        method,
        signal,
        headers: type === "" ? {} : { "content-type": type },
        ...(body === undefined ? {} : { body })
      })
      const endless = response.status === 200 && url.includes("/api/events")
      const text = endless ? "" : await response.text()
      abort.abort()
      return { what, status: response.status, text }
    } catch (error) {
      return { what, status: 0, text: String(error) }
    }
  })

describe("the OpenAPI document against the running server", () => {
  it.live("every route, with whatever is sent to it, answers in time, never with a 500, and explains itself", () =>
    Effect.gen(function* () {
      const url = yield* address
      const document = yield* Effect.promise(() => fetch(`${url}/openapi.json`).then((r): Promise<Loose> => r.json()))
      const created = yield* Effect.promise(() =>
        fetch(`${url}/api/conversations`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}"
        }).then((r): Promise<Loose> => r.json())
      )
      const routes = [...routesOf(document), ...undeclared]
      assert.isAtLeast(routes.length, 18)
      const random = dice(20_261_121)
      const asked = routes.flatMap((route) => Array.from({ length: 25 }, () => ask(url, route, random, created.id)))
      const answers = yield* Effect.forEach(asked, send, { concurrency: 8 })
      const wrong = answers.filter(({ status }) => status === 0 || status >= 500)
      assert.deepStrictEqual(wrong, [])
      for (const { status, text, what } of answers) {
        if (status < 400) continue
        const problem = JSON.parse(text)
        assert.isString(problem.type ?? problem.error?.type, what)
        assert.notMatch(text, /\n\s+at /, what)
      }
    }).pipe(Effect.provide(running), Effect.scoped)
  )
})
