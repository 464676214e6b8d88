/** A calendar day in the configured time zone. Times are milliseconds since the epoch. */
export interface Day {
  /** YYYY-MM-DD. */
  readonly name: string
  readonly start: number
  /** The next day's start; a day has 23 to 25 hours. */
  readonly end: number
}

const hour = 3_600_000

/** The first moment after `from` at which `changed` holds, found within two days. */
const firstChange = (from: number, changed: (at: number) => boolean): number => {
  let before = from
  let after = from + 50 * hour
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (changed(middle)) after = middle
    else before = middle
  }
  return after
}

/** Tells the day of a moment. Reads the time zone's rules once a day; otherwise a comparison. */
export const makeDays = (timeZone: string): ((at: number) => Day) => {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" })
  const nameOf = (at: number): string => format.format(at)
  let current: Day = { name: "", start: 0, end: 0 }
  return (at) => {
    if (at >= current.start && at < current.end) return current
    const name = nameOf(at)
    const end = firstChange(at, (moment) => nameOf(moment) !== name)
    const start = firstChange(end - 51 * hour, (moment) => nameOf(moment) >= name)
    current = { name, start, end }
    return current
  }
}
