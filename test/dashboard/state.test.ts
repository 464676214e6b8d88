import { assert, describe, it } from "vitest"
import type { Alert, CostMetrics, Frame, TokenMetrics, UsageEvent } from "../../src/dashboard/api/types.ts"
import { evident } from "../../src/dashboard/state/alerts.ts"
import { historyOf } from "../../src/dashboard/state/context.ts"
import { emptyTail, extended } from "../../src/dashboard/state/tail.ts"
import { broke, limited } from "../../src/dashboard/state/verdicts.ts"
import { nanoUsd } from "../../src/domain/Money.ts"

const usage = { input: 100, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 5 }
const request = (fields: Partial<UsageEvent> = {}): UsageEvent => ({
  _tag: "Usage",
  requestId: "req",
  tenant: "default",
  agent: "coder",
  conversation: "talk",
  model: "claude-haiku-5-5",
  usage,
  rawTokens: 200,
  costNanoUsd: nanoUsd(1),
  savedNanoUsd: nanoUsd(0),
  cache: "miss",
  queueMillis: 0,
  upstreamMillis: 1,
  status: "ok",
  ...fields
})
const frame = (seq: number, at: number, fields: Partial<UsageEvent> = {}): Frame => ({
  seq,
  at,
  event: request(fields)
})

describe("what is remembered of the live feed", () => {
  it("counts what is told again once, and what another process numbers alike as something else", () => {
    const before = extended(emptyTail, [frame(1, 1_000), frame(2, 2_000)])
    const after = extended(before, [frame(1, 1_000), frame(2, 2_000), frame(1, 9_000)])
    assert.strictEqual(after.heard, 3)
    assert.deepStrictEqual(
      after.requests.map(({ at }) => at),
      [9_000, 2_000, 1_000]
    )
  })

  it("draws no request that never reached upstream", () => {
    const nothing = { ...usage, input: 0, output: 0 }
    const failed = frame(2, 2_000, { status: "error", usage: nothing, rawTokens: 0 })
    const { requests } = extended(emptyTail, [frame(1, 1_000), failed, frame(3, 3_000)])
    assert.deepStrictEqual(historyOf(requests, "talk").at, [1, 3])
  })
})

describe("verdicts", () => {
  const money = (usd: number) => ({ nanoUsd: usd * 1e9, usd })
  // Only what the verdict reads.
  const costs = {
    enabled: true,
    paused: false,
    budget: money(10),
    threshold: money(20),
    today: { cost: money(4) }
  } as CostMetrics
  const refusing: Alert = { kind: "budget_paused", severity: "critical", subject: "daily budget", message: "No room." }

  it("no budget counts as safe while one refuses requests for what is in flight", () => {
    assert.strictEqual(broke(costs, []).answer, "No")
    assert.deepStrictEqual(broke(costs, [refusing]), { tone: "bad", answer: "Refusing", detail: "No room." })
  })

  it("a budget is advised only where there is none", () => {
    const above = { ...costs, percent: 120 }
    assert.notInclude(evident(undefined, above)[0]?.message, "Set a budget")
    assert.include(evident(undefined, { ...above, budget: null })[0]?.message, "Set a budget")
  })

  it("the nearest of the minute's limits decides", () => {
    const currentMinute = {
      used: 10,
      limit: 1_000,
      percent: 1,
      resets: 0,
      outputUsed: 95,
      outputLimit: 100,
      requestsUsed: 1,
      requestsLimit: null,
      inFlight: 0,
      maxInFlight: 50
    }
    const tokens = { enabled: true, currentMinute, queue: { length: 0 } } as TokenMetrics
    const { answer, detail } = limited(tokens)
    assert.strictEqual(answer, "Almost")
    assert.include(detail, "95% of 100 output tokens")
  })
})
