import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { ClaudeError, RateLimited } from "../../src/claude/ClaudeError.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { Admission } from "../../src/limits/Admission.ts"
import { defaultLimits } from "../../src/limits/Limits.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { answer, request } from "../governor/world.ts"
import { plainEstimator } from "../support/estimator.ts"
import { model } from "./support.ts"

const caller = { tenant: "tenant", agent: "agent", priority: "normal" } as const
const refused = { status: 429, headers: { "retry-after": "3600" }, epochMillis: 0 }
const small = {
  status: 200,
  epochMillis: 0,
  headers: { "anthropic-ratelimit-input-tokens-limit": "10000", "anthropic-ratelimit-input-tokens-remaining": "10000" }
}

/** When a request with this key may go, `Infinity` when nobody knows; a sentence when it never may. */
const goes = (admission: Admission, inputTokens: number, account?: string): number | string => {
  const ticket = admission.enqueue(0, { model, caller, inputTokens, outputTokens: 0, account })
  if ("reason" in ticket) return ticket.reason
  const at = admission.next(0) === ticket ? 0 : admission.wakeAt
  admission.close(0, ticket)
  return at
}

describe("upstream's limits of a client's own key", () => {
  it("hold up that key alone", () => {
    const admission = new Admission(defaultLimits)
    admission.observe(0, model, refused, "one")
    assert.strictEqual(goes(admission, 1_000, "one"), 3_600_000)
    assert.strictEqual(goes(admission, 1_000, "another"), 0)
    assert.strictEqual(goes(admission, 1_000), 0)
  })

  it("are no limits of the server's key", () => {
    const admission = new Admission(defaultLimits)
    admission.observe(0, model, small, "one")
    assert.strictEqual(goes(admission, 20_000, "one"), "TooLarge")
    assert.strictEqual(goes(admission, 20_000, "another"), 0)
    assert.strictEqual(goes(admission, 20_000), 0)
    admission.observe(0, model, refused)
    assert.strictEqual(goes(admission, 1_000), 3_600_000)
    assert.strictEqual(goes(admission, 1_000, "another"), 0)
  })

  it("are remembered for a thousand keys, and are nobody's to see", () => {
    const admission = new Admission(defaultLimits)
    for (let i = 0; i < 5_000; i++) admission.observe(0, model, refused, `key ${i}`)
    assert.deepStrictEqual([...admission.pools.classes.keys()], [])
    assert.strictEqual(goes(admission, 1_000, "key 4999"), 3_600_000)
    assert.strictEqual(goes(admission, 1_000, "key 0"), 0)
  })

  it.effect("the governor tells the keys apart", () => {
    const limited = new ClaudeError({
      reason: new RateLimited({ ...refused, body: {}, requestId: null, kind: "rate", retryAfterMillis: 3_600_000 })
    })
    const claude = Layer.mock(Claude, {
      kind: "fake",
      send: (_, options) =>
        options?.apiKey !== undefined && Redacted.value(options.apiKey) === "spent"
          ? Effect.fail(limited)
          : Effect.succeed({ message: answer("hello"), status: 200, headers: {} })
    })
    const rooms = Layer.mergeAll(
      claude,
      CostTracker.layerOff,
      TokenRateLimiter.layerOf({}),
      ResponseCache.layerOff,
      Layer.succeed(TokenEstimator, plainEstimator()),
      ModelRouter.layerOff
    ).pipe(
      Layer.provideMerge(ModelCatalog.layerDefault),
      Layer.provideMerge(Layer.merge(Settings.layerWith({}), Events.layerTest))
    )
    return Effect.gen(function* () {
      const { run } = yield* Governor
      const asking = (key?: string) =>
        run(request("hello"), defaultCaller, key === undefined ? {} : { apiKey: Redacted.make(key) })
      yield* Effect.flip(asking("spent"))
      yield* asking("mine")
      yield* asking()
      const { queue } = yield* (yield* TokenRateLimiter).stats
      assert.strictEqual(queue.length, 0)
    }).pipe(Effect.provide(Layer.provideMerge(Governor.layer, rooms)))
  })
})
