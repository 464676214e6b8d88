import { DateTime, Option, Schema } from "effect"

const isTime = Schema.makeFilter(
  (text: string) => Option.isSome(DateTime.make(text)) || "an ISO 8601 time, like 2026-03-01 or 2026-03-01T09:30Z"
)

/** ISO 8601, in UTC where it names no zone; a day alone is a time too. */
export const Time = Schema.String.check(Schema.isMaxLength(40), isTime)

const day = /^\d{4}-\d{2}-\d{2}$/
const dayMillis = 86_400_000

/** Milliseconds since the epoch. */
export const startMillis = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Option.getOrUndefined(Option.map(DateTime.make(time), DateTime.toEpochMillis))

/** The same for an end: a day lasts until its end. */
export const endMillis = (time: string | undefined): number | undefined => {
  const at = startMillis(time)
  return at === undefined || time === undefined || !day.test(time) ? at : at + dayMillis - 1
}
