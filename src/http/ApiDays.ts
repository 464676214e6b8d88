import { Schema } from "effect"

const expected = "a day of the calendar, as YYYY-MM-DD"

/** `2026-02-31` is read as a day of March by `Date`; what comes back must be what was given. */
const isReal = (day: string): boolean => {
  const at = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day)
}

export const Day = Schema.String.check(
  Schema.makeFilter<string>(isReal, { expected }),
  Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/)
).annotate({ description: "YYYY-MM-DD, inclusive" })

/** Days asked for: today by default, one day when only the last is given, up to today when only the first is. */
export const days = { from: Schema.optionalKey(Day), to: Schema.optionalKey(Day) }

/** The first day is not behind the last. */
export const inOrder = Schema.makeFilter<{ readonly from?: string; readonly to?: string }>(
  ({ from, to }) => from === undefined || to === undefined || from <= to,
  { expected: "`from` to be no later than `to`" }
)
