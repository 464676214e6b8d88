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
