import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { type CompactionCause, Event } from "../../src/domain/Event.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { call, json, server } from "../http/fakes.ts"
import { request } from "./support.ts"

/** What a scraper reads: name, labels and value of every sample. */
const samples = (text: string) => {
  const found = new Map<string, number>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    const match = /^([a-zA-Z_:][\w:]*(?:\{[^\n]*\})?) (\S+)$/.exec(line)
    assert.isNotNull(match, line)
    const value = Number(match?.[2] === "+Inf" ? Number.POSITIVE_INFINITY : match?.[2])
    assert.isFalse(Number.isNaN(value), line)
    assert.isFalse(found.has(match?.[1] ?? ""), `twice: ${line}`)
    found.set(match?.[1] ?? "", value)
  }
  return found
}

const publish = (...events: ReadonlyArray<Event>) =>
  Events.use(({ publish }) => Effect.forEach(events, publish, { discard: true }))

const scrape = call("GET", "/metrics")

/** Scrapes until so many requests have been counted. */
const counted = (requests: number) =>
  Effect.repeat(
    Effect.map(scrape, (answer) => ({ ...answer, read: samples(answer.text) })),
    { until: ({ read }) => read.get('sluice_events_total{type="Usage"}') === requests }
  )

describe("GET /metrics", () => {
  it.live("counts requests, tokens, dollars and seconds in base units", () =>
    Effect.gen(function* () {
      yield* publish(request({ cache: "miss" }), request({ cache: "hit", savedNanoUsd: nanoUsd(2_000_000_000) }))
      const { headers, read } = yield* counted(2)
      assert.strictEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const model = 'model="claude-sonnet-5-5"'
      assert.strictEqual(read.get(`sluice_requests_total{${model},cache="miss",status="ok"}`), 1)
      assert.strictEqual(read.get(`sluice_requests_total{${model},cache="hit",status="ok"}`), 1)
      assert.strictEqual(read.get(`sluice_tokens_total{${model},kind="input"}`), 100)
      assert.strictEqual(read.get(`sluice_tokens_total{${model},kind="cache_read"}`), 30)
      assert.strictEqual(read.get(`sluice_cost_usd_total{${model}}`), 0.0015)
      assert.strictEqual(read.get(`sluice_saved_usd_total{${model}}`), 2)
      assert.strictEqual(read.get("sluice_queue_duration_seconds_sum"), 0.02)
      const genAi =
        'gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-sonnet-5-5"'
      assert.strictEqual(read.get(`gen_ai_client_operation_duration_seconds_sum{${genAi}}`), 1.5)
      assert.strictEqual(read.get(`gen_ai_client_operation_duration_seconds_bucket{${genAi},le="1.28"}`), 0)
      assert.strictEqual(read.get(`gen_ai_client_operation_duration_seconds_bucket{${genAi},le="2.56"}`), 1)
      assert.strictEqual(read.get(`gen_ai_client_token_usage_sum{${genAi},gen_ai_token_type="input"}`), 150)
    }).pipe(Effect.provide(server()))
  )

  it.live("counts compactions by cause with what they should save, and prompt caches that should have served", () =>
    Effect.gen(function* () {
      const compaction = (cause: CompactionCause, savesNanoUsd: number) =>
        Event.cases.Compaction.make({
          conversation: "c1",
          reason: `${cause}, in words with a number of its own: ${savesNanoUsd}`,
          cause,
          savesNanoUsd: nanoUsd(savesNanoUsd),
          tokensBefore: 9_000,
          tokensAfter: 2_000,
          segments: 3
        })
      const miss = Event.cases.PromptCacheMiss.make({
        conversation: "c1",
        model: "claude-sonnet-5-5",
        cause: "tools",
        expectedTokens: 5_000,
        readTokens: 0,
        costNanoUsd: nanoUsd(12_000_000)
      })
      const before = samples((yield* scrape).text)
      assert.strictEqual(before.get('sluice_context_compactions_total{cause="cold"}'), 0, "there from the start")
      yield* publish(compaction("cold", 3_000_000_000), compaction("cold", 1), compaction("limit", -500_000_000), miss)
      yield* publish(request())
      const { read } = yield* counted(1)
      assert.strictEqual(read.get('sluice_context_compactions_total{cause="cold"}'), 2)
      assert.strictEqual(read.get('sluice_context_compactions_total{cause="limit"}'), 1)
      assert.strictEqual(read.get("sluice_context_compacted_tokens_total"), 21_000)
      assert.closeTo(
        read.get('sluice_context_compaction_expected_savings_usd_total{cause="cold"}') ?? 0,
        3.000000001,
        1e-12
      )
      assert.strictEqual(read.get('sluice_context_compaction_expected_savings_usd_total{cause="limit"}'), 0)
      assert.strictEqual(read.get('sluice_context_compaction_expected_costs_usd_total{cause="limit"}'), 0.5)
      const labels = 'model="claude-sonnet-5-5",cause="tools"'
      assert.strictEqual(read.get(`sluice_prompt_cache_unexpected_misses_total{${labels}}`), 1)
      assert.strictEqual(read.get(`sluice_prompt_cache_unexpected_misses_cost_usd_total{${labels}}`), 0.012)
    }).pipe(Effect.provide(server()))
  )

  it.live("tells what the rooms say of themselves, at the moment of the scrape", () =>
    Effect.gen(function* () {
      const read = samples((yield* scrape).text)
      assert.strictEqual(read.get("sluice_limiter_input_tokens"), 1_000)
      assert.strictEqual(read.get("sluice_limiter_input_tokens_limit"), 400_000)
      assert.strictEqual(read.get("sluice_requests_in_flight"), 1)
      assert.strictEqual(read.get("sluice_cache_size_bytes"), 2_048)
      assert.strictEqual(read.get("sluice_cache_hits_total"), 3)
      assert.strictEqual(read.get("sluice_cost_threshold_usd"), 10)
      assert.strictEqual(read.get("sluice_budget_paused"), 0)
      assert.isAbove(read.get("process_resident_memory_bytes") ?? 0, 1_000_000)
    }).pipe(Effect.provide(server()))
  )

  it.live("a flood of tenants, models and nonsense does not grow it", () =>
    Effect.gen(function* () {
      const flood = Array.from({ length: 1_000 }, (_, n) =>
        request({ tenant: `tenant ${n}`, model: n % 2 === 0 ? `nonsense-${n}` : `claude-opus-9-${n}`, agent: `a${n}` })
      )
      yield* publish(...flood)
      const first = (yield* counted(1_000)).read
      yield* publish(...flood.map((event) => ({ ...event, tenant: `more ${event.tenant}`, model: `x${event.model}` })))
      const second = (yield* counted(2_000)).read
      assert.isAtMost(second.size - first.size, 5)
      const tenants = [...second.keys()].filter((name) => name.startsWith("sluice_tenant_requests_total"))
      assert.strictEqual(tenants.length, 51)
      assert.isAbove(second.get('sluice_tenant_requests_total{tenant="other"}') ?? 0, 1_900)
      assert.isDefined(second.get('sluice_requests_total{model="opus",cache="bypass",status="ok"}'))
      assert.isFalse([...second.keys()].some((name) => name.includes("nonsense")))
    }).pipe(Effect.provide(server()))
  )

  it.live("label values cannot break out of their quotes", () =>
    Effect.gen(function* () {
      yield* publish(request({ tenant: 'a"} 1\nevil_total{x="\\' }))
      assert.notMatch((yield* counted(1)).text, /^evil_total/m)
    }).pipe(Effect.provide(server()))
  )

  it.live("a tenant's token does not open it, the operator's does", () =>
    Effect.gen(function* () {
      const as = (token: string) => call("GET", "/metrics", { headers: { authorization: `Bearer ${token}` } })
      const tenant = yield* as("t")
      assert.strictEqual(tenant.status, 403)
      assert.strictEqual(json(tenant).type, "urn:sluice:problem:forbidden")
      assert.strictEqual((yield* as("admin")).status, 200)
    }).pipe(
      Effect.provide(
        server({
          settings: {
            adminToken: Option.some(Redacted.make("admin")),
            gatewayTokens: new Map([["acme", Redacted.make("t")]])
          }
        })
      )
    )
  )
})

describe("GET /api/metrics/series", () => {
  it.live("has the last ten seconds in it", () =>
    Effect.gen(function* () {
      yield* publish(request({ cache: "miss" }), request({ cache: "hit" }))
      yield* Effect.yieldNow
      const { points, stepMillis } = json(yield* call("GET", "/api/metrics/series"))
      assert.strictEqual(stepMillis, 10_000)
      const sum = (of: (point: Record<string, number>) => number | undefined) =>
        points.reduce((total: number, point: Record<string, number>) => total + (of(point) ?? 0), 0)
      assert.strictEqual(
        sum(({ requests }) => requests),
        2
      )
      assert.strictEqual(
        sum(({ sent }) => sent),
        150
      )
      assert.strictEqual(points.at(-1).limit, 400_000)
    }).pipe(Effect.provide(server()))
  )
})
