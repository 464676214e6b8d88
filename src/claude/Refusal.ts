import { retryAfterMillis } from "../domain/RetryAfter.ts"
import { ClaudeError, Overloaded, RateLimited, Rejected, ServerFault } from "./ClaudeError.ts"

type Headers = Readonly<Record<string, string>>

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  readonly bytes?: Uint8Array | undefined
}

const spendCodes: ReadonlySet<unknown> = new Set([
  "enforced_spend_limit_reached",
  "contract_spend_limit_reached",
  "linked_organization_spend_limit_reached"
])

const field = (u: unknown, name: string): unknown =>
  typeof u === "object" && u !== null && Object.hasOwn(u, name) ? (u as Record<string, unknown>)[name] : undefined

/** `error.details.error_code` of an Anthropic error body. */
export const errorCode = (body: unknown): unknown => field(field(field(body, "error"), "details"), "error_code")

/** `error.type` and `error.message` of an Anthropic error body, as one line. */
export const errorText = (body: unknown): string => {
  const error = field(body, "error")
  const text = [field(error, "type"), field(error, "message")].filter((part) => typeof part === "string")
  return text.length > 0 ? text.join(": ") : "error without a message"
}

/** `error.type` of an Anthropic error body. */
export const errorType = (body: unknown): unknown => field(field(body, "error"), "type")

const rateKind = ({ body, headers }: Answer): "rate" | "ramp" | "spend" => {
  const code = errorCode(body)
  if (code === "ramp_limit_exceeded") return "ramp"
  if (spendCodes.has(code)) return "spend"
  const hinted = "retry-after" in headers || "retry-after-ms" in headers
  return !hinted && /spend limit|usage limits/i.test(errorText(body)) ? "spend" : "rate"
}

/** The error that a status other than 2xx means, with upstream's own body, headers and request id. */
export const refusal = (answer: Answer, nowMillis: number): ClaudeError => {
  const { body, bytes, headers, status } = answer
  const id = headers["request-id"] ?? field(body, "request_id")
  const requestId = typeof id === "string" ? id : null
  const common = { status, body, headers, requestId, ...(bytes === undefined ? {} : { bytes }) }
  const retry = retryAfterMillis(headers, nowMillis) ?? null
  if (status === 429 || (status === 402 && spendCodes.has(errorCode(body)))) {
    return new ClaudeError({ reason: new RateLimited({ ...common, kind: rateKind(answer), retryAfterMillis: retry }) })
  }
  if (status === 529) return new ClaudeError({ reason: new Overloaded({ ...common, retryAfterMillis: retry }) })
  return status >= 500
    ? new ClaudeError({ reason: new ServerFault({ ...common, retryAfterMillis: retry }) })
    : new ClaudeError({ reason: new Rejected(common) })
}

/** Statuses that find fault with a request; 401, 402 and 403 find it with the key. */
const requestStatuses: ReadonlySet<number> = new Set([400, 404, 413, 422])

/** Upstream is well and found the request itself at fault. An account without credit is refused with 400, too. */
export const blamesRequest = (error: ClaudeError | undefined): boolean => {
  const reason = error?.reason
  if (reason?._tag !== "Rejected" || !requestStatuses.has(reason.status)) return false
  return !/credit balance/i.test(errorText(reason.body))
}
