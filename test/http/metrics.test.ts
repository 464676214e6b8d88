import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, json, server } from "./fakes.ts"

layer(server())("metrics", (it) => {
  it.effect("health tells status, version, uptime, checks and the limiter", () =>
    Effect.gen(function* () {
      const answer = yield* call("GET", "/health")
      assert.strictEqual(answer.status, 200)
      const { checks, rateLimiter, status, uptimeSeconds, version } = json(answer)
      assert.strictEqual(status, "ok")
      assert.match(version, /^\d+\.\d+\.\d+/)
      assert.isAtLeast(uptimeSeconds, 0)
      assert.strictEqual(checks.database.status, "ok")
      assert.strictEqual(checks.redis.status, "off")
      assert.deepStrictEqual(checks.upstream, { status: "ok", detail: "simulator" })
      assert.strictEqual(rateLimiter.limit, 400_000)
    })
  )

  it.effect("tokens: the minute, totals by kind, raw against sent, contexts, queue, models", () =>
    Effect.gen(function* () {
      const body = json(yield* call("GET", "/api/metrics/tokens"))
      assert.deepInclude(body.currentMinute, { used: 1000, limit: 400_000, percent: 0.25, resets: 30_000 })
      assert.deepStrictEqual(body.totals, {
        input: 100,
        cacheWrite5m: 20,
        cacheWrite1h: 0,
        cacheRead: 30,
        output: 10,
        requests: 2
      })
      assert.deepInclude(body, { raw: 600, sent: 150, reduction: 0.75 })
      assert.strictEqual(body.contextWindows.length, 3)
      assert.strictEqual(body.queue.length, 0)
      assert.strictEqual(body.byModel[0].key, "claude-sonnet-5-5")
    })
  )

  it.effect("cache: exactly the documented fields", () =>
    Effect.gen(function* () {
      const body = json(yield* call("GET", "/api/metrics/cache"))
      assert.deepStrictEqual(Object.keys(body).sort(), [
        "bytes",
        "coalesced",
        "enabled",
        "entries",
        "evictions",
        "expirations",
        "hitRate",
        "hits",
        "max",
        "misses",
        "ttl"
      ])
    })
  )

  it.effect("costs: exact money for the asked days", () =>
    Effect.gen(function* () {
      const body = json(yield* call("GET", "/api/metrics/costs?from=2026-11-01&to=2026-11-20"))
      assert.deepInclude(body, { from: "2026-11-01", to: "2026-11-20", percent: 0.015, budget: null, paused: false })
      assert.deepStrictEqual(body.today.cost, { nanoUsd: 1_500_000, usd: 0.0015 })
      assert.deepStrictEqual(body.threshold, { nanoUsd: 10_000_000_000, usd: 10 })
      assert.deepStrictEqual(body.saved, { nanoUsd: 500_000, usd: 0.0005 })
      assert.deepStrictEqual(body.total.savedBy, {
        cache: { nanoUsd: 400_000, usd: 0.0004 },
        context: { nanoUsd: 100_000, usd: 0.0001 },
        routing: { nanoUsd: 0, usd: 0 }
      })
      // 30 tokens read at 100 instead of 2,000 nano-dollars each, 20 written at 2,500.
      assert.strictEqual(body.promptCaching.nanoUsd, 30 * 1_900 - 20 * 500)
      for (const by of ["byDay", "byModel", "byAgent", "byTenant", "byConversation"])
        assert.strictEqual(body[by].length, 1)
    })
  )

  it.effect("costs: a day that is none is named", () =>
    Effect.gen(function* () {
      const answer = yield* call("GET", "/api/metrics/costs?from=2026-13-01")
      assert.strictEqual(answer.status, 400)
      assert.deepStrictEqual(json(answer).errors[0].path, ["query", "from"])
      const reversed = yield* call("GET", "/api/metrics/costs?from=2026-11-20&to=2026-11-01")
      assert.strictEqual(reversed.status, 400)
      assert.include(json(reversed).detail, "no later than")
    })
  )
})
