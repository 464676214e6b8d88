import { assert, describe, it } from "@effect/vitest"
import { asText } from "../../src/cli/reportText.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { money } from "../../src/http/ApiSchemas.ts"

const totals = {
  requests: 3,
  usage: { input: 10, cacheWrite5m: 2, cacheWrite1h: 1, cacheRead: 7, output: 5 },
  rawTokens: 80,
  sentTokens: 20,
  reduction: 0.75,
  cost: money(nanoUsd(1_234_567)),
  saved: money(nanoUsd(1_000_000_000)),
  savedBy: {
    cache: money(nanoUsd(700_000_000)),
    context: money(nanoUsd(400_000_000)),
    routing: money(nanoUsd(-100_000_000))
  }
}

const rows = (key: string) => [{ key, ...totals }]

const costs = {
  enabled: true,
  day: "2026-11-21",
  today: totals,
  total: totals,
  threshold: money(nanoUsd(10_000_000_000)),
  percent: 12.345,
  budget: null,
  sharedBudget: false,
  reserved: money(nanoUsd(0)),
  paused: false,
  resetsAt: 0,
  saved: money(nanoUsd(1_000_000_000)),
  promptCaching: money(nanoUsd(250_000_000)),
  from: "2026-11-20",
  to: "2026-11-21",
  byDay: [...rows("2026-11-20"), ...rows("2026-11-21")],
  byModel: rows("claude-sonnet-5-5"),
  byAgent: [],
  byTenant: rows("default"),
  byConversation: []
}

describe("report", () => {
  it("as text: aligned columns, empty groups left out", () => {
    const text = asText(costs)
    assert.match(text, /^2026-11-20 to 2026-11-21: \$0\.002469134\. Today \$0\.001234567 \(12\.3 % of the threshold\)/)
    assert.include(text, "75.0 %")
    assert.include(
      text,
      "saved $1.00: response cache $0.70, smaller contexts $0.40, routing -$0.10; prompt caching $0.25"
    )
    assert.notInclude(text, "agent")
    const [head = "", row = ""] = text.split("\n").slice(3, 5)
    assert.strictEqual(head.length, row.length)
  })

  it("says that nothing is tracked instead of figures", () => {
    assert.strictEqual(
      asText({ ...costs, enabled: false, from: "", to: "", byDay: [] }),
      "Costs are not tracked: the service runs with COST_TRACKING_ENABLED=false."
    )
  })
})
