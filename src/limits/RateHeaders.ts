/** The dimensions that upstream limits; `total` is its "most restrictive" limit over input and output together. */
export const dimensions = ["requests", "input", "output", "total"] as const
export type Dimension = (typeof dimensions)[number]

export interface Headroom {
  readonly limit: number
  readonly remaining: number
}

type Headers = Readonly<Record<string, string>>

const prefix: Readonly<Record<Dimension, string>> = {
  requests: "anthropic-ratelimit-requests",
  input: "anthropic-ratelimit-input-tokens",
  output: "anthropic-ratelimit-output-tokens",
  total: "anthropic-ratelimit-tokens"
}

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined

/** What upstream says is left of a limit; `undefined` when it does not say, or not in numbers. */
export const headroom = (headers: Headers, dimension: Dimension): Headroom | undefined => {
  const limit = count(headers[`${prefix[dimension]}-limit`])
  const remaining = count(headers[`${prefix[dimension]}-remaining`])
  return limit === undefined || limit === 0 || remaining === undefined ? undefined : { limit, remaining }
}

const seconds = (text: string | undefined, unit: number): number | undefined => {
  if (text === undefined || !/^\d{1,9}(\.\d+)?$/.test(text.trim())) return undefined
  return Math.ceil(Number(text) * unit)
}

/** `retry-after-ms`, or `retry-after` as seconds or as an HTTP date (then against `epochMillis`), in milliseconds. */
export const retryAfter = (headers: Headers, epochMillis: number): number | undefined => {
  const plain = seconds(headers["retry-after-ms"], 1) ?? seconds(headers["retry-after"], 1000)
  if (plain !== undefined) return plain
  const date = Date.parse(headers["retry-after"] ?? "")
  return Number.isNaN(date) ? undefined : Math.max(0, date - epochMillis)
}
