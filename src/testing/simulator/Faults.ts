/** Something that goes wrong on purpose, once. Event counts are those of the stream, `message_start` being the first. */
export type Fault =
  /** Refuses with a status; nothing is billed. */
  | {
      readonly _tag: "Refuse"
      readonly status: number
      readonly message?: string | undefined
      readonly errorCode?: string | undefined
      readonly headers?: Readonly<Record<string, string>> | undefined
    }
  /** The connection breaks before the response headers; nothing is billed. */
  | { readonly _tag: "Reset" }
  /** The headers never come. The prompt is billed. */
  | { readonly _tag: "Hang" }
  /** The connection breaks after so many events; for a whole answer, after its headers. */
  | { readonly _tag: "Cut"; readonly afterEvents: number }
  /** An SSE `error` event after so many events. */
  | { readonly _tag: "ErrorEvent"; readonly afterEvents: number; readonly type?: string | undefined }
  /** Silence after so many events, the connection stays open. */
  | { readonly _tag: "Stall"; readonly afterEvents: number }

const refuse = (status: number, rest: Omit<Extract<Fault, { _tag: "Refuse" }>, "_tag" | "status"> = {}): Fault => ({
  _tag: "Refuse",
  status,
  ...rest
})

/** Faults as upstream words them. */
export const Fault = {
  refuse,
  rateLimited: (retryAfterSeconds: number): Fault =>
    refuse(429, {
      message: "This request would exceed your organization's rate limit of input tokens per minute.",
      headers: { "retry-after": String(retryAfterSeconds) }
    }),
  ramp: (retryAfterSeconds: number): Fault =>
    refuse(429, {
      message: "Your traffic is rising faster than your acceleration limit allows.",
      errorCode: "ramp_limit_exceeded",
      headers: { "retry-after": String(retryAfterSeconds) }
    }),
  spendLimit: refuse(429, {
    message: "Your organization has reached its monthly spend limit.",
    errorCode: "enforced_spend_limit_reached"
  }),
  contractSpendLimit: refuse(429, {
    message: "Your organization has reached the spend limit of its contract.",
    errorCode: "contract_spend_limit_reached"
  }),
  overloaded: refuse(529, { message: "Overloaded" }),
  serverError: refuse(500, { message: "Internal server error" }),
  reset: { _tag: "Reset" } satisfies Fault as Fault,
  hang: { _tag: "Hang" } satisfies Fault as Fault,
  cut: (afterEvents: number): Fault => ({ _tag: "Cut", afterEvents }),
  errorEvent: (afterEvents: number, type = "overloaded_error"): Fault => ({ _tag: "ErrorEvent", afterEvents, type }),
  stall: (afterEvents: number): Fault => ({ _tag: "Stall", afterEvents })
}
