import { assert, describe, it } from "@effect/vitest"
import { csvOf, csvOfDays } from "../../src/costs/Csv.ts"
import { noTotals } from "../../src/costs/Totals.ts"
import { nanoUsd } from "../../src/domain/Money.ts"

const line = { ...noTotals, day: "2026-11-21", model: "m", tenant: "t", agent: "a", conversation: null }

describe("csv", () => {
  it("has a heading and exact dollars", () => {
    const rows = csvOf([{ ...line, requests: 2, costNanoUsd: nanoUsd(1_000_000_001) }]).split("\r\n")
    assert.match(rows[0] ?? "", /^day,model,tenant,agent,conversation,requests,input_tokens,.*,cost_usd,/)
    assert.strictEqual(rows[1], "2026-11-21,m,t,a,,2,0,0,0,0,0,0,1.000000001,0.000000000,0.000000000,0.000000000")
    assert.lengthOf(rows, 3)
  })

  it("is one row a day for days", () => {
    const [head, row] = csvOfDays([{ ...noTotals, key: "2026-11-21", requests: 2, costNanoUsd: nanoUsd(1) }]).split(
      "\r\n"
    )
    assert.match(head ?? "", /^day,requests,input_tokens,.*,cost_usd,/)
    assert.strictEqual(row, "2026-11-21,2,0,0,0,0,0,0,0.000000001,0.000000000,0.000000000,0.000000000")
  })

  it("quotes what needs it, and defuses formulas", () => {
    const row = csvOf([{ ...line, tenant: 'a "b", c', agent: "=HYPERLINK(1)", conversation: "x\ny" }])
    assert.include(row, `"a ""b"", c",'=HYPERLINK(1),"x\ny"`)
  })

  it("writes negative savings", () => {
    const saved = { cache: nanoUsd(0), context: nanoUsd(-1_500_000_000), routing: nanoUsd(0) }
    assert.include(csvOf([{ ...line, saved }]), ",-1.500000000,")
  })
})
