import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { request } from "../metrics/support.ts"
import { call, json, type Loose } from "./fakes.ts"
import { whole } from "./whole.ts"

const settings = {
  gatewayTokens: new Map([
    ["acme", Redacted.make("acme-token")],
    ["globex", Redacted.make("globex-token")],
    ["idle", Redacted.make("idle-token")]
  ]),
  costBudgets: [{ scope: "tenant", name: "acme", usd: 2 }] as const
}

/** Books requests of a tenant; each costs 10,000 nano-dollars a token of output. */
const spend = Effect.fnUntraced(function* (tenant: string, requests: number, output: number) {
  const costs = yield* CostTracker
  for (let n = 0; n < requests; n++) {
    yield* costs.settle({
      requestId: `${tenant}-${n}`,
      caller: { tenant, agent: `${tenant}-agent`, conversation: `${tenant}-talk`, priority: "normal" },
      model: "claude-sonnet-5-5",
      usage: { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output },
      rawTokens: 0
    })
  }
})

const get = (path: string, tenant?: string): Effect.Effect<Loose, Loose, Loose> =>
  Effect.map(call("GET", path, tenant === undefined ? {} : { headers: { "x-api-key": `${tenant}-token` } }), json)

const keys = (groups: ReadonlyArray<{ readonly key: string }>) => groups.map(({ key }) => key)

layer(whole(settings))("a tenant's token over HTTP", (it) => {
  it.effect("sees that tenant's money and tokens; an administrator sees all", () =>
    Effect.gen(function* () {
      yield* spend("acme", 2, 1_000)
      yield* spend("globex", 1, 50_000)
      const range = "from=1970-01-01&to=2099-01-01"
      for (const query of ["", `?${range}`]) {
        const own = yield* get(`/api/metrics/costs${query}`, "acme")
        assert.strictEqual(own.today.cost.nanoUsd, 20_000_000, query)
        assert.strictEqual(own.total.cost.nanoUsd, 20_000_000, query)
        assert.deepStrictEqual(keys(own.byTenant), ["acme"], query)
        assert.deepStrictEqual(keys(own.byAgent), ["acme-agent"], query)
        assert.deepStrictEqual(keys(own.byConversation), ["acme-talk"], query)
        assert.strictEqual(own.byModel[0].cost.nanoUsd, 20_000_000, query)
        assert.strictEqual(own.byDay[0].requests, 2, query)
        assert.closeTo(own.percent, 0.2, 1e-9, "its own part of the threshold")
        assert.strictEqual(own.budget.usd, 2, "its own budget")
        assert.isFalse(own.paused)
        assert.notInclude(JSON.stringify(own), "globex", query)
      }
      const all = yield* get(`/api/metrics/costs?${range}`)
      assert.strictEqual(all.total.cost.nanoUsd, 520_000_000)
      assert.sameMembers(keys(all.byTenant), ["acme", "globex"])

      const tokens = yield* get("/api/metrics/tokens", "acme")
      assert.deepInclude(tokens.totals, { output: 2_000, requests: 2 })
      assert.strictEqual(tokens.byModel[0].usage.output, 2_000)
      assert.strictEqual((yield* get("/api/metrics/tokens")).totals.output, 52_000)
    })
  )

  it.effect("sees nothing where it did nothing", () =>
    Effect.gen(function* () {
      const own = yield* get("/api/metrics/costs", "idle")
      assert.deepInclude(own, { byDay: [], byModel: [], byAgent: [], byTenant: [], byConversation: [], budget: null })
      assert.strictEqual(own.total.requests, 0)
    })
  )

  it.effect("sees what it may not spend any more, and what is held for it", () =>
    Effect.gen(function* () {
      const costs = yield* CostTracker
      const caller = { tenant: "acme", agent: "a", priority: "normal" } as const
      yield* costs.reserve({ requestId: "held", caller, model: "claude-sonnet-5-5", estimate: nanoUsd(5_000_000) })
      assert.strictEqual((yield* get("/api/metrics/costs", "acme")).reserved.nanoUsd, 5_000_000)
      assert.strictEqual((yield* get("/api/metrics/costs", "globex")).reserved.nanoUsd, 0)
      yield* costs.release("held")
      yield* costs.settle({
        requestId: "dear",
        caller,
        model: "claude-sonnet-5-5",
        usage: { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 200_000 },
        rawTokens: 0
      })
      assert.isTrue((yield* get("/api/metrics/costs", "acme")).paused)
      assert.isFalse((yield* get("/api/metrics/costs", "globex")).paused)
      assert.isFalse((yield* get("/api/metrics/costs")).paused)
    })
  )

  it.effect("sees the contexts of its own conversations only", () =>
    Effect.gen(function* () {
      const chat = yield* ChatRepo
      const [mine, other] = [yield* chat.create({ tenant: "acme" }), yield* chat.create({ tenant: "globex" })]
      const windows = (body: Loose) => body.contextWindows.map((w: Loose) => w.conversation)
      assert.deepStrictEqual(windows(yield* get("/api/metrics/tokens", "acme")), [mine.id])
      assert.sameMembers(windows(yield* get("/api/metrics/tokens")), [mine.id, other.id])
    })
  )

  it.effect("sees the last hour of its own requests, with everybody's limit", () =>
    Effect.gen(function* () {
      const { publish } = yield* Events
      for (const tenant of ["acme", "acme", "globex"]) yield* publish(request({ tenant }))
      const requests = (body: Loose) => body.points.reduce((sum: number, p: Loose) => sum + p.requests, 0)
      const own = yield* get("/api/metrics/series", "acme")
      assert.strictEqual(requests(own), 2)
      assert.strictEqual(own.points.at(-1).limit, 400_000)
      assert.strictEqual(requests(yield* get("/api/metrics/series", "idle")), 0)
      assert.strictEqual(requests(yield* get("/api/metrics/series")), 3)
    })
  )
})
