import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

/** Every error body's `type` begins with this; what follows is stable and may be matched on. */
export const problemPrefix = "urn:sluice:problem:"

const type = <const Slug extends string>(slug: Slug): `urn:sluice:problem:${Slug}` => `${problemPrefix}${slug}`

const retryAfter = {
  retryAfterMillis: Schema.optionalKey(Schema.Natural)
}

export class InvalidRequest extends HttpApiError.Problem<InvalidRequest>()(
  "InvalidRequest",
  { type: type("invalid-request"), status: 400, title: "Invalid request" },
  { errors: Schema.optionalKey(Schema.Array(HttpApiError.ProblemIssue)) }
) {}

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: type("unauthorized"),
  status: 401,
  title: "Token needed"
}) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: type("forbidden"),
  status: 403,
  title: "Not allowed"
}) {}

export class RouteUnknown extends HttpApiError.Problem<RouteUnknown>()("RouteUnknown", {
  type: type("not-found"),
  status: 404,
  title: "No such page"
}) {}

export class ConversationUnknown extends HttpApiError.Problem<ConversationUnknown>()(
  "ConversationUnknown",
  { type: type("conversation-not-found"), status: 404, title: "No such conversation" },
  { conversation: Schema.String }
) {}

export class MessageUnknown extends HttpApiError.Problem<MessageUnknown>()(
  "MessageUnknown",
  { type: type("message-not-found"), status: 404, title: "No such message" },
  { conversation: Schema.String, seq: Schema.Natural }
) {}

export class PinsTaken extends HttpApiError.Problem<PinsTaken>()(
  "PinsTaken",
  { type: type("too-many-pins"), status: 409, title: "Too many pins" },
  { conversation: Schema.String, pins: Schema.Array(Schema.Natural) }
) {}

export class TokenUnknown extends HttpApiError.Problem<TokenUnknown>()(
  "TokenUnknown",
  { type: type("token-not-found"), status: 404, title: "No such token" },
  { name: Schema.String }
) {}

export class TokenTaken extends HttpApiError.Problem<TokenTaken>()(
  "TokenTaken",
  { type: type("token-exists"), status: 409, title: "Token exists already" },
  { name: Schema.String }
) {}

export class MethodNotAllowed extends HttpApiError.Problem<MethodNotAllowed>()(
  "MethodNotAllowed",
  { type: type("method-not-allowed"), status: 405, title: "Method not allowed" },
  { allow: Schema.Array(Schema.String) }
) {}

export class BodyTooLarge extends HttpApiError.Problem<BodyTooLarge>()("BodyTooLarge", {
  type: type("body-too-large"),
  status: 413,
  title: "Body too large"
}) {}

export class MediaTypeUnknown extends HttpApiError.Problem<MediaTypeUnknown>()("MediaTypeUnknown", {
  type: type("unsupported-media-type"),
  status: 415,
  title: "Unsupported media type"
}) {}

export class ContextTooLargeProblem extends HttpApiError.Problem<ContextTooLargeProblem>()(
  "ContextTooLargeProblem",
  { type: type("context-too-large"), status: 422, title: "Context too large" },
  { conversation: Schema.String, seq: Schema.Int, tokens: Schema.Natural, limit: Schema.Natural }
) {}

export class LargerThanLimit extends HttpApiError.Problem<LargerThanLimit>()("LargerThanLimit", {
  type: type("request-larger-than-limit"),
  status: 422,
  title: "Request larger than the rate limit"
}) {}

export class BudgetUsedUp extends HttpApiError.Problem<BudgetUsedUp>()(
  "BudgetUsedUp",
  { type: type("budget-exceeded"), status: 402, title: "Budget exceeded" },
  {
    budget: Schema.String,
    limitNanoUsd: Schema.Int,
    spentNanoUsd: Schema.Int,
    resetsAt: Schema.Natural
  }
) {}

export class RateLimitedProblem extends HttpApiError.Problem<RateLimitedProblem>()(
  "RateLimitedProblem",
  { type: type("rate-limited"), status: 429, title: "Too many requests" },
  retryAfter
) {}

export class UpstreamRateLimited extends HttpApiError.Problem<UpstreamRateLimited>()(
  "UpstreamRateLimited",
  { type: type("upstream-rate-limited"), status: 429, title: "Upstream's rate limit" },
  retryAfter
) {}

export class UpstreamRejected extends HttpApiError.Problem<UpstreamRejected>()(
  "UpstreamRejected",
  { type: type("upstream-rejected"), status: 502, title: "Upstream rejected the request" },
  { upstreamStatus: Schema.Natural }
) {}

export class UpstreamFailed extends HttpApiError.Problem<UpstreamFailed>()("UpstreamFailed", {
  type: type("upstream-failed"),
  status: 502,
  title: "Upstream failed"
}) {}

export class TooManyRounds extends HttpApiError.Problem<TooManyRounds>()(
  "TooManyRounds",
  { type: type("too-many-tool-rounds"), status: 502, title: "Too many tool rounds" },
  { rounds: Schema.Natural }
) {}

export class UpstreamUnavailable extends HttpApiError.Problem<UpstreamUnavailable>()(
  "UpstreamUnavailable",
  { type: type("upstream-unavailable"), status: 503, title: "Upstream unavailable" },
  retryAfter
) {}

export class UpstreamTimedOut extends HttpApiError.Problem<UpstreamTimedOut>()("UpstreamTimedOut", {
  type: type("upstream-timed-out"),
  status: 504,
  title: "Upstream timed out"
}) {}

export class StorageUnavailable extends HttpApiError.Problem<StorageUnavailable>()("StorageUnavailable", {
  type: type("database-unavailable"),
  status: 503,
  title: "Database unavailable"
}) {}

export class TooManyListeners extends HttpApiError.Problem<TooManyListeners>()("TooManyListeners", {
  type: type("too-many-listeners"),
  status: 503,
  title: "Too many listeners"
}) {}

export class ShuttingDown extends HttpApiError.Problem<ShuttingDown>()("ShuttingDown", {
  type: type("shutting-down"),
  status: 503,
  title: "Shutting down"
}) {}

export class InternalProblem extends HttpApiError.Problem<InternalProblem>()("InternalProblem", {
  type: type("internal-error"),
  status: 500,
  title: "Internal error"
}) {}

/** What reading and writing conversations may answer with, before a turn begins. */
export const storageProblems = [ConversationUnknown, InvalidRequest, StorageUnavailable] as const

/** What pinning and unpinning may fail with. */
export const pinProblems = [...storageProblems, MessageUnknown, PinsTaken] as const

/** What a turn may fail with, as an HTTP status before its first event or as an `error` event after it. */
export const turnProblems = [
  ...storageProblems,
  ContextTooLargeProblem,
  LargerThanLimit,
  BudgetUsedUp,
  RateLimitedProblem,
  UpstreamRateLimited,
  UpstreamRejected,
  UpstreamFailed,
  UpstreamUnavailable,
  UpstreamTimedOut,
  TooManyRounds,
  InternalProblem
] as const

export const TurnProblem = Schema.Union(turnProblems)
export type TurnProblem = typeof TurnProblem.Type
