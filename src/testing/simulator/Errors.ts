import type { Whole } from "../../claude/Wire.ts"

const typeOfStatus: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error"
}

export interface ErrorOptions {
  readonly errorCode?: string | undefined
  readonly type?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** An error body in upstream's shape. */
export const errorBody = (status: number, message: string, requestId: string, options: ErrorOptions = {}): object => ({
  type: "error",
  error: {
    type: options.type ?? typeOfStatus[status] ?? "api_error",
    message,
    ...(options.errorCode === undefined ? {} : { details: { error_code: options.errorCode } })
  },
  request_id: requestId
})

/** A refusal in upstream's shape, with its headers. */
export const errorReply = (status: number, message: string, requestId: string, options: ErrorOptions = {}): Whole => ({
  _tag: "Whole",
  status,
  headers: { "content-type": "application/json", "request-id": requestId, ...options.headers },
  body: errorBody(status, message, requestId, options)
})
