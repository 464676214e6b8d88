import type { ClaudeReason } from "../claude/ClaudeError.ts"
import type { GovernorError } from "../governor/Governor.ts"

/** A failure as the Messages API would tell it: its status, its headers, its body. */
export interface AnthropicFailure {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** Clients would try again by themselves; what could be retried has been, so they are told not to. */
const final = { "x-should-retry": "false" }

const retryAfter = (millis: number | null): Record<string, string> =>
  millis === null ? {} : { "retry-after": String(Math.ceil(millis / 1000)) }

const failure = (
  status: number,
  type: string,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): AnthropicFailure => ({
  status,
  headers: { ...final, ...headers },
  body: { type: "error", error: { type, message } }
})

const ofUpstream = (reason: ClaudeReason, message: string): AnthropicFailure => {
  switch (reason._tag) {
    case "RateLimited":
    case "Overloaded":
    case "Rejected":
    case "ServerFault":
      // Upstream's own words: clients match on them.
      return { status: reason.status, headers: { ...reason.headers, ...final }, body: reason.body }
    case "TimedOut":
      return failure(504, "timeout_error", message)
    case "CircuitOpen":
      return failure(529, "overloaded_error", message, retryAfter(reason.retryAfterMillis))
    case "Unreachable":
    case "StreamBroken":
      return failure(502, "api_error", message)
  }
}

/** The one translation from what a governed request fails with to the Messages API's own errors. */
export const anthropicFailure = (error: GovernorError): AnthropicFailure => {
  switch (error._tag) {
    case "ClaudeError":
      return ofUpstream(error.reason, error.message)
    case "BudgetExceeded":
      return failure(402, "billing_error", error.message)
    case "RateLimitError":
      return error.reason === "TooLarge"
        ? failure(413, "request_too_large", error.message)
        : failure(429, "rate_limit_error", error.message, retryAfter(error.retryAfterMillis))
  }
}
