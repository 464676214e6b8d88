type Headers = Readonly<Record<string, string>>

/** No pause is longer, in milliseconds: 31 days. What upstream writes may be any number. */
const longest = 31 * 86_400_000

const number = /^\s*\d+(\.\d*)?\s*$/
/** `Date.parse` takes nearly everything for a date: "-5", "+5" and "5, 10" too. */
const date = /^\s*([A-Za-z]{3}|\d{4}-\d\d-\d\d)/

const millis = (text: string | undefined, unit: number): number | undefined =>
  text !== undefined && number.test(text) ? Number(text) * unit : undefined

const until = (text: string | undefined, nowMillis: number): number | undefined => {
  const at = text !== undefined && date.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at - nowMillis
}

/**
 * How long upstream asks to wait: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date; whole milliseconds, 31
 * days at most. Undefined when there is none, or none that makes sense (negative, in words).
 */
export const retryAfterMillis = (headers: Headers, nowMillis: number): number | undefined => {
  const { "retry-after": text, "retry-after-ms": exact } = headers
  const wait = millis(exact, 1) ?? millis(text, 1_000) ?? until(text, nowMillis)
  return wait === undefined ? undefined : Math.min(longest, Math.max(0, Math.ceil(wait)))
}
