import { Schema } from "effect"

/** What upstream (or the way to it) refused. `status` and `body` are upstream's own, when it answered. */
const answered = {
  status: Schema.Natural,
  body: Schema.Unknown,
  /** `body` as it came, where a gateway has to pass it on: it need not be JSON, nor UTF-8. */
  bytes: Schema.optionalKey(Schema.Uint8Array),
  headers: Schema.Record(Schema.String, Schema.String),
  requestId: Schema.NullOr(Schema.String)
}

export class RateLimited extends Schema.TaggedClass<RateLimited>()("RateLimited", {
  ...answered,
  /** `rate` and `ramp` pass by themselves; `spend` lasts until the month or the contract changes. */
  kind: Schema.Literals(["rate", "ramp", "spend"]),
  retryAfterMillis: Schema.NullOr(Schema.Natural)
}) {}
export class Overloaded extends Schema.TaggedClass<Overloaded>()("Overloaded", {
  ...answered,
  retryAfterMillis: Schema.NullOr(Schema.Natural)
}) {}
/** 4xx: sending the same again will not help. */
export class Rejected extends Schema.TaggedClass<Rejected>()("Rejected", answered) {}
/** 5xx other than 529. */
export class ServerFault extends Schema.TaggedClass<ServerFault>()("ServerFault", {
  ...answered,
  retryAfterMillis: Schema.NullOr(Schema.Natural)
}) {}
/** No answer: refused, reset, DNS, TLS. `sent` is false when no connection was made, so that upstream saw nothing. */
export class Unreachable extends Schema.TaggedClass<Unreachable>()("Unreachable", {
  detail: Schema.String,
  sent: Schema.optionalKey(Schema.Boolean)
}) {}
/** No answer in time, or a stream that fell silent. */
export class TimedOut extends Schema.TaggedClass<TimedOut>()("TimedOut", { afterMillis: Schema.Natural }) {}
/**
 * A stream that ended without `message_stop`, or an SSE `error` event. `answered` is true when upstream did not break off but
 * answered with something else than was asked for: it would again, and bill again.
 */
export class StreamBroken extends Schema.TaggedClass<StreamBroken>()("StreamBroken", {
  detail: Schema.String,
  body: Schema.Unknown,
  answered: Schema.optionalKey(Schema.Boolean)
}) {}
/** The circuit is open after repeated failures, or because the spend limit is reached: nothing was sent. */
export class CircuitOpen extends Schema.TaggedClass<CircuitOpen>()("CircuitOpen", {
  retryAfterMillis: Schema.Natural,
  because: Schema.optionalKey(Schema.Literals(["failures", "spend"]))
}) {}

export const ClaudeReason = Schema.Union([
  RateLimited,
  Overloaded,
  Rejected,
  ServerFault,
  Unreachable,
  TimedOut,
  StreamBroken,
  CircuitOpen
])
export type ClaudeReason = typeof ClaudeReason.Type

const sentence = (reason: ClaudeReason): string => {
  switch (reason._tag) {
    case "RateLimited":
      return reason.kind === "spend"
        ? "Upstream refused: the organisation's spend limit is reached. Raise it in the console."
        : "Upstream refused: rate limit reached. Wait, or lower RATE_LIMIT_TOKENS_PER_MINUTE."
    case "Overloaded":
      return "Upstream is overloaded. Try again later."
    case "Rejected":
      return `Upstream rejected the request (${reason.status}): ${JSON.stringify(reason.body)?.slice(0, 300)}`
    case "ServerFault":
      return `Upstream failed (${reason.status}). Try again later.`
    case "Unreachable":
      return `Upstream could not be reached: ${reason.detail}. Check ANTHROPIC_BASE_URL and the network.`
    case "TimedOut":
      return `Upstream did not answer within ${reason.afterMillis} ms.`
    case "StreamBroken":
      return `Upstream's stream broke off: ${reason.detail}.`
    case "CircuitOpen":
      if (reason.because === "spend") {
        return `The organisation's spend limit is reached; no request is sent for another ${reason.retryAfterMillis} ms. Raise it in the console.`
      }
      return `Upstream failed repeatedly; no request is sent for another ${reason.retryAfterMillis} ms.`
  }
}

export class ClaudeError extends Schema.TaggedError<ClaudeError>()("ClaudeError", { reason: ClaudeReason }) {
  override get message(): string {
    return sentence(this.reason)
  }
}
