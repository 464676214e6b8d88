import { HttpServerResponse } from "effect/http"
import type { TooManyAttempts } from "../../access/Tokens.ts"
import type { ClaudeError } from "../../claude/ClaudeError.ts"
import { errorType } from "../../claude/Refusal.ts"
import type { ContextTooLarge } from "../../context/ContextManager.ts"
import { originalOf } from "../../domain/Original.ts"
import type { GovernorError } from "../../governor/Governor.ts"
import { anthropicFailure } from "../AnthropicError.ts"
import { downstream } from "./Headers.ts"

/** A refusal of our own, in the Messages API's shape. */
export interface Refusal {
  readonly _tag: "Refusal"
  readonly status: number
  readonly type: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export type GatewayError = Refusal | GovernorError | ContextTooLarge | TooManyAttempts

/** A failure as it goes out: upstream's own words where it spoke, in its own bytes. */
export interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** A client obeys `retry-after` without an upper bound; nobody should sleep for an hour because a queue was full. */
const longestRetryAfter = 60

export const refusal = (
  status: number,
  type: string,
  message: string,
  headers?: Readonly<Record<string, string>>
): Refusal => ({ _tag: "Refusal", status, type, message, headers })

export const invalid = (message: string): Refusal => refusal(400, "invalid_request_error", message)

export const retryAfter = (millis: number): Record<string, string> => ({
  "retry-after": String(Math.min(longestRetryAfter, Math.max(1, Math.ceil(millis / 1000))))
})

const json = { "content-type": "application/json" }

const own = ({ headers, message, status, type }: Omit<Refusal, "_tag">, requestId: string): Told => ({
  status,
  headers: { ...json, "request-id": requestId, ...headers },
  body: JSON.stringify({ type: "error", error: { type, message }, request_id: requestId })
})

/** Upstream's refusal as it came. Sluice has tried again where it could; whether the client should is upstream's to say. */
const ofUpstream = (error: ClaudeError, requestId: string): Told => {
  const { reason } = error
  if ("body" in reason && "status" in reason) {
    const { body, bytes, headers, status } = reason
    const told = bytes ?? originalOf(body) ?? (typeof body === "string" ? body : JSON.stringify(body))
    return { status, headers: { "request-id": requestId, ...downstream(headers) }, body: told }
  }
  if (reason._tag === "StreamBroken" && errorType(reason.body) !== undefined) {
    return { status: 502, headers: { ...json, "request-id": requestId }, body: JSON.stringify(reason.body) }
  }
  return ofOurs(error, requestId)
}

/** What the client may try again by itself is left to it; a budget that is used up is not. */
const ofOurs = (error: GovernorError, requestId: string): Told => {
  const { body, headers, status } = anthropicFailure(error)
  const { "retry-after": wait, ...rest } = headers
  const { "x-should-retry": _, ...mayRetry } = rest
  const kept = status === 429 || status >= 500 ? mayRetry : rest
  const waits = wait === undefined ? {} : retryAfter(Number(wait) * 1000)
  // `anthropicFailure` always makes an object.
  const text = JSON.stringify({ ...(body as object), request_id: requestId })
  return { status, headers: { ...json, "request-id": requestId, ...kept, ...waits }, body: text }
}

/** The one translation of what goes wrong on a gateway route. */
export const tell = (error: GatewayError, requestId: string): Told => {
  switch (error._tag) {
    case "Refusal":
      return own(error, requestId)
    case "ContextTooLarge":
      // Clients match on upstream's wording to shorten by themselves.
      return own(
        invalid(`prompt is too long: ${error.tokens} tokens > ${error.limit} maximum. ${error.message}`),
        requestId
      )
    case "TooManyAttempts": {
      const headers = retryAfter(error.retryAfterMillis)
      return own({ status: 429, type: "rate_limit_error", message: error.message, headers }, requestId)
    }
    case "ClaudeError":
      return ofUpstream(error, requestId)
    case "BudgetExceeded":
    case "RateLimitError":
      return ofOurs(error, requestId)
  }
}

export const crashed = (requestId: string): Told =>
  own(
    { status: 500, type: "api_error", message: "Something unexpected went wrong. The gateway's log says more." },
    requestId
  )

/** As an HTTP answer; `sluice` are the headers that say what the gateway did. */
export const failureResponse = (told: Told, sluice: Readonly<Record<string, string>>) => {
  const options = { status: told.status, headers: { ...told.headers, ...sluice } }
  const contentType = told.headers["content-type"] ?? "application/json"
  return typeof told.body === "string"
    ? HttpServerResponse.text(told.body, { ...options, contentType })
    : HttpServerResponse.uint8Array(told.body, { ...options, contentType })
}

/** As the last event of a stream whose status is already sent. */
export const failureFrame = (error: GatewayError, requestId: string): Uint8Array => {
  if (error._tag === "ClaudeError" && error.reason._tag === "StreamBroken" && error.reason.answered !== true) {
    const original = originalOf(error.reason.body)
    if (original !== undefined) return original
  }
  const { body } = tell(error, requestId)
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8")
  return Buffer.from(`event: error\ndata: ${errorData(text, requestId)}\n\n`)
}

/** An event's data is one line, and an error's is an error: what came as anything else (a proxy's page) is put into one. */
const errorData = (text: string, requestId: string): string => {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === "object" && body !== null && "error" in body) return JSON.stringify({ type: "error", ...body })
  } catch {
    // Not JSON: told below.
  }
  const error = { type: "api_error", message: text.slice(0, 300) }
  return JSON.stringify({ type: "error", error, request_id: requestId })
}
