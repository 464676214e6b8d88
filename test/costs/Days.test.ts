import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeDays } from "../../src/costs/Days.ts"

const hour = 3_600_000
const iso = (at: number) => new Date(at).toISOString()

describe("days", () => {
  const cases: ReadonlyArray<[zone: string, at: string, name: string, start: string, hours: number]> = [
    ["UTC", "2026-11-21T12:00:00Z", "2026-11-21", "2026-11-21T00:00:00.000Z", 24],
    ["Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29", "2026-03-28T23:00:00.000Z", 23],
    ["Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25", "2026-10-24T22:00:00.000Z", 25],
    ["America/New_York", "2026-11-01T12:00:00Z", "2026-11-01", "2026-11-01T04:00:00.000Z", 25],
    ["Asia/Kolkata", "2026-11-20T20:00:00Z", "2026-11-21", "2026-11-20T18:30:00.000Z", 24],
    ["Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-24", "2026-04-23T22:00:00.000Z", 23],
    ["Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29", "2011-12-29T10:00:00.000Z", 24],
    ["UTC", "1970-01-01T00:00:00Z", "1970-01-01", "1970-01-01T00:00:00.000Z", 24]
  ]
  for (const [zone, at, name, start, hours] of cases) {
    it(`${at} in ${zone} is ${name}, ${hours} hours long`, () => {
      const day = makeDays(zone)(Date.parse(at))
      assert.deepStrictEqual([day.name, iso(day.start), day.end - day.start], [name, start, hours * hour])
    })
  }

  it.prop(
    "follow each other without gap, and every moment of a day has its name",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4e12 })),
      Schema.Literals(["Europe/Berlin", "America/Santiago", "Asia/Gaza", "Australia/Lord_Howe"])
    ],
    ([at, zone]) => {
      const daysOf = makeDays(zone)
      const day = daysOf(at)
      assert.isTrue(day.start <= at && at < day.end)
      assert.strictEqual(daysOf(day.end).start, day.end)
      assert.isAbove(daysOf(day.end).name.localeCompare(day.name), 0)
      assert.strictEqual(makeDays(zone)(day.start).name, day.name)
      assert.strictEqual(makeDays(zone)(day.end - 1).name, day.name)
    },
    { arbitrary: { runs: 100 } }
  )
})
