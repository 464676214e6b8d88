import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Event } from "../../src/domain/Event.ts"
import { nanoUsd, zero } from "../../src/domain/Money.ts"
import { Alerting, AlertRules } from "../../src/events/AlertRules.ts"
import { Events } from "../../src/events/Events.ts"
import { Hysteresis } from "../../src/events/Hysteresis.ts"
import { allRules } from "../../src/events/rules.ts"

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>

const usage = (more: Partial<UsageEvent> = {}): UsageEvent => ({
  _tag: "Usage",
  requestId: "r",
  tenant: "t",
  agent: "a",
  conversation: "c",
  model: "m",
  usage: { input: 100, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 10 },
  rawTokens: 1_000,
  costNanoUsd: zero,
  savedNanoUsd: zero,
  cache: "bypass",
  queueMillis: 0,
  upstreamMillis: 0,
  status: "ok",
  ...more
})
const limiter = (used: number, oldestMillis = 0): Event => ({
  _tag: "Limiter",
  used,
  limit: 100,
  queued: 0,
  inFlight: 0,
  oldestMillis
})
const compaction: Event = {
  _tag: "Compaction",
  conversation: "c",
  reason: "",
  cause: "limit",
  savesNanoUsd: nanoUsd(0),
  tokensBefore: 2,
  tokensAfter: 1,
  segments: 1
}
const options = { costThresholdUsd: 10, timeZone: "Europe/Berlin" }
const fresh = () => new Alerting(allRules(options))

/** What was raised and cleared, in order: "+kind" and "-kind". */
const run = (alerting: Alerting, events: ReadonlyArray<Event>, at = 0): ReadonlyArray<string> =>
  events
    .flatMap((event) => alerting.feed(event, at))
    .map((event) => {
      if (event._tag === "AlertRaised") return `+${event.alert.kind}`
      return event._tag === "AlertCleared" ? `-${event.alert.kind}` : event._tag
    })
const times = (n: number, event: Event): ReadonlyArray<Event> => Array.from({ length: n }, () => event)

describe("hysteresis", () => {
  it("answers each crossing once, in both directions", () => {
    const high = new Hysteresis({ raise: 85, clear: 75 })
    assert.deepStrictEqual(
      [80, 85, 90, 84, 76, 85, 74, 80].map((n) => high.update(n)),
      [undefined, "raised", undefined, undefined, undefined, undefined, "cleared", undefined]
    )
    const low = new Hysteresis({ raise: 20, clear: 25 })
    assert.deepStrictEqual(
      [30, 20, 19, 24, 18, 25, 20].map((n) => low.update(n)),
      [undefined, undefined, "raised", undefined, undefined, "cleared", undefined]
    )
  })
})

describe("the rules", () => {
  it("tokens per minute above 85 %", () => {
    assert.deepStrictEqual(
      run(
        fresh(),
        [84, 85, 99, 80, 74, 80].map((used) => limiter(used))
      ),
      ["+rate_limit_warning", "-rate_limit_warning"]
    )
  })

  it("the age of the queue", () => {
    assert.deepStrictEqual(
      run(
        fresh(),
        [0, 29_999, 30_000, 60_000, 15_000, 9_000].map((age) => limiter(0, age))
      ),
      ["+queue_age", "-queue_age"]
    )
  })

  it("the day's cost above 90 % of the threshold, until the day ends where it is configured", () => {
    const alerting = fresh()
    const dollar = usage({ costNanoUsd: nanoUsd(1_000_000_000), conversation: null })
    const evening = Date.UTC(2026, 10, 20, 22, 30)
    assert.deepStrictEqual(run(alerting, times(8, dollar), evening), [])
    assert.deepStrictEqual(run(alerting, times(5, dollar), evening), ["+cost_threshold"])
    assert.deepStrictEqual(run(alerting, times(1, dollar), evening + 1_700_000), [])
    assert.deepStrictEqual(run(alerting, times(1, dollar), evening + 1_800_000), ["-cost_threshold"])
  })

  it("the hit rate below 20 %, over enough requests", () => {
    const alerting = fresh()
    const [miss, hit] = [usage({ cache: "miss", conversation: null }), usage({ cache: "hit", conversation: null })]
    assert.deepStrictEqual(run(alerting, times(49, miss)), [])
    assert.deepStrictEqual(run(alerting, times(500, usage({ conversation: null }))), [])
    assert.deepStrictEqual(run(alerting, times(100, miss)), ["+cache_hit_rate_low"])
    assert.deepStrictEqual(run(alerting, times(200, hit)), ["-cache_hit_rate_low"])
  })

  it("context compacted in more than half of the requests", () => {
    const alerting = fresh()
    assert.deepStrictEqual(run(alerting, Array.from({ length: 19 }, () => [compaction, usage()]).flat()), [])
    assert.deepStrictEqual(run(alerting, [compaction, usage()]), ["+context_trimmed_often"])
    assert.deepStrictEqual(run(alerting, times(40, usage())), ["-context_trimmed_often"])
  })

  it("upstream errors, answers from the cache aside", () => {
    const alerting = fresh()
    assert.isEmpty(run(fresh(), times(20, usage({ status: "rejected", conversation: null }))), "the clients' own fault")
    const failed = usage({ status: "error", conversation: null })
    assert.deepStrictEqual(run(alerting, times(9, failed)), [])
    assert.deepStrictEqual(run(alerting, times(20, failed)), ["+upstream_errors"])
    const hits = times(500, usage({ cache: "hit", conversation: null }))
    assert.deepStrictEqual(run(alerting, hits), [])
    assert.deepStrictEqual(run(alerting, times(60, usage({ conversation: null }))), ["-upstream_errors"])
  })

  it("a reduction below 15 % in conversations long enough to reduce, saying how little it is", () => {
    const sent = (input: number) => usage({ rawTokens: 100_000, usage: { ...usage().usage, input } })
    const alerting = fresh()
    assert.deepStrictEqual(
      run(alerting, times(50, usage({ rawTokens: 5_000, usage: { ...usage().usage, input: 5_000 } }))),
      []
    )
    const raised = times(20, sent(89_500)).flatMap((event) => alerting.feed(event, 0))
    assert.strictEqual(raised.length, 1)
    const [first] = raised
    assert.isTrue(first?._tag === "AlertRaised" && first.alert.message.startsWith("Only 10.5 % token reduction"))
    assert.deepStrictEqual(run(alerting, times(100, sent(50_000))), ["-reduction_low"])
  })

  it("keep quiet while a room that knows better has raised the same", () => {
    const alerting = fresh()
    const alert = { kind: "rate_limit_warning", severity: "warning", message: "mine" } as const
    assert.deepStrictEqual(run(alerting, [{ _tag: "AlertRaised", alert }, limiter(90), limiter(95)]), [])
    assert.deepStrictEqual(alerting.active, [{ at: 0, alert }])
    assert.deepStrictEqual(run(alerting, [{ _tag: "AlertCleared", alert }, limiter(10)]), [])
    assert.deepStrictEqual(alerting.active, [])
    assert.deepStrictEqual(run(alerting, [limiter(90)]), ["+rate_limit_warning"])
  })
})

describe("AlertRules", () => {
  it.effect("publishes what crosses, once, and does not answer its own alerts", () =>
    Effect.gen(function* () {
      const events = yield* Events
      const rules = yield* AlertRules.make(allRules(options))
      for (const used of [90, 95, 90]) yield* events.publish(limiter(used))
      for (let n = 0; n < 50; n++) yield* Effect.yieldNow
      const kinds = (yield* events.recent).map(({ event }) => event._tag)
      assert.deepStrictEqual(
        kinds.filter((tag) => tag !== "Limiter"),
        ["AlertRaised"]
      )
      const active = yield* rules.active
      assert.deepStrictEqual(
        active.map(({ alert }) => alert.kind),
        ["rate_limit_warning"]
      )
    }).pipe(Effect.provide(Events.layerTest))
  )
})
