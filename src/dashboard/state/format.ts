/** Numbers and times as the reader's browser writes them. */
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 })
const one = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" })

const dollars = (digits: number) =>
  new Intl.NumberFormat(undefined, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: Math.min(2, digits),
    maximumFractionDigits: digits
  })
const cents = dollars(2)
const small = dollars(4)
const tiny = dollars(6)
const exactly = dollars(9)

/** What is not known yet is a dash, not a zero. */
export const known = <A>(value: A | undefined, text: (value: A) => string): string =>
  value === undefined ? "–" : text(value)

export const count = (n: number): string => whole.format(n)
export const short = (n: number): string => (Math.abs(n) < 10_000 ? whole.format(n) : compact.format(n))
/** From 0 to 1. */
export const share = (ratio: number): string => one.format(ratio)
/** From 0 to 100. */
export const percent = (value: number): string => one.format(value / 100)

/** As many decimals as its size asks for. */
export const usd = (value: number): string => {
  const size = Math.abs(value)
  if (size === 0 || size >= 1) return cents.format(value)
  return (size >= 0.01 ? small : tiny).format(value)
}
const fixed = (digits: number) => {
  const format = new Intl.NumberFormat(undefined, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  })
  const least = 10 ** -digits
  return (value: number): string => (value > 0 && value < least / 2 ? `<${format.format(least)}` : format.format(value))
}
const ofDollars = fixed(2)
const ofCents = fixed(4)
const ofLess = fixed(6)

/** How to write the dollars of one column: all with the same decimals, as many as its sizes ask for. */
export const usdColumn = (values: ReadonlyArray<number>): ((value: number) => string) => {
  const sizes = values.map(Math.abs).filter((size) => size > 0)
  const largest = Math.max(0, ...sizes)
  if (sizes.length === 0 || Math.min(...sizes) >= 1) return ofDollars
  return largest >= 0.01 ? ofCents : ofLess
}
/** Every nano-dollar. */
export const usdExact = (nanoUsd: number): string => exactly.format(nanoUsd / 1e9)

export const time = (at: number): string => clock.format(at)
export const hour = (at: number): string => minute.format(at)
export const moment = (at: number): string => date.format(at)
export const dayName = (key: string): string => day.format(Date.parse(`${key}T00:00:00Z`))

const unit = (value: number, name: "millisecond" | "second" | "minute" | "hour", digits: number): string =>
  new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: name,
    unitDisplay: "narrow",
    maximumFractionDigits: digits
  }).format(value)

export const duration = (millis: number): string => {
  if (millis < 1_000) return unit(Math.round(millis), "millisecond", 0)
  if (millis < 60_000) return unit(millis / 1_000, "second", 1)
  if (millis < 3_600_000) return unit(millis / 60_000, "minute", 0)
  return unit(millis / 3_600_000, "hour", 1)
}

export const bytes = (n: number): string => {
  if (n < 1024) return `${whole.format(n)} B`
  if (n < 1024 ** 2) return `${whole.format(n / 1024)} KiB`
  return `${new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 }).format(n / 1024 ** 2)} MiB`
}
