import { assert, describe, it } from "vitest"
import { noSeries } from "../../src/dashboard/api/series.ts"
import type { Alert, CostMetrics, Frame, TokenMetrics, UsageEvent } from "../../src/dashboard/api/types.ts"
import { evident } from "../../src/dashboard/state/alerts.ts"
import { historyOf } from "../../src/dashboard/state/context.ts"
import { usdColumn } from "../../src/dashboard/state/format.ts"
import { paceOf, spendersOf } from "../../src/dashboard/state/spending.ts"
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

const money = (usd: number) => ({ nanoUsd: nanoUsd(usd * 1e9), usd })

describe("who spends", () => {
  const spender = (key: string, usd: number) => ({ key, cost: money(usd) })
  const costs = {
    today: { cost: money(10) },
    byTenant: [spender("acme", 10)],
    byAgent: [spender("(other)", 4), ...[1, 2, 0, 0.5, 0.5, 1, 0.25].map((usd, n) => spender(`a${n}`, usd))]
  }

  it("are the dearest few, by their part of all that was spent; one tenant alone is no news", () => {
    const [agents, ...others] = spendersOf(costs)
    assert.strictEqual(agents?.name, "Agent")
    assert.deepStrictEqual(
      agents?.rows.map(({ key, part }) => [key, part]),
      [
        ["a1", 0.2],
        ["a0", 0.1],
        ["a5", 0.1],
        ["a3", 0.05],
        ["a4", 0.05]
      ]
    )
    assert.isEmpty(others)
    const two = { ...costs, byTenant: [...costs.byTenant, ...costs.byTenant] }
    assert.deepStrictEqual(
      spendersOf(two).map(({ name }) => name),
      ["Tenant", "Agent"]
    )
  })

  it("dollars an hour are those of the last five minutes, or of the whole minutes since a start", () => {
    const spending = (usd: ReadonlyArray<number>) => ({ ...noSeries, columns: { ...noSeries.columns, cost: usd } })
    assert.isUndefined(paceOf(spending([1, 1, 1, 1, 1])))
    assert.deepStrictEqual(paceOf(spending([9, 1, 0, 0, 0, 0, 1])), { usdPerHour: 120, minutes: 1 })
    assert.deepStrictEqual(paceOf(spending([...Array(60).fill(7), ...Array(30).fill(0.5)])), {
      usdPerHour: 180,
      minutes: 5
    })
  })
})

it("dollars of a column have the same decimals, and what is little is not zero", () => {
  const column = (usd: ReadonlyArray<number>) => usd.map(usdColumn(usd)).map((text) => text.replace("US", ""))
  assert.deepStrictEqual(column([0.083, 0.0894, 0]), ["$0.0830", "$0.0894", "$0.0000"])
  assert.deepStrictEqual(column([12, 3.456]), ["$12.00", "$3.46"])
  assert.deepStrictEqual(column([12, 0.000_02]), ["$12.0000", "<$0.0001"])
  assert.deepStrictEqual(column([0.002, 0.000_123_4]), ["$0.002000", "$0.000123"])
})

describe("verdicts", () => {
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
    const shared = { ...above, budget: null, sharedBudget: true }
    assert.notInclude(evident(undefined, shared)[0]?.message, "Set a budget")
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
