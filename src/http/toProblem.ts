import { Effect } from "effect"
import type { ChatRepoError, ConversationNotFound } from "../chat/ChatRepo.ts"
import type { SearchFailed } from "../chat/MessageSearch.ts"
import type { ClaudeError } from "../claude/ClaudeError.ts"
import type { MessageNotFound, TooManyPins } from "../context/ContextManager.ts"
import type { ConversationForgotten } from "../context/StatelessContexts.ts"
import type { BudgetExceeded, LedgerError } from "../costs/CostTracker.ts"
import type { RateLimitError } from "../limits/TokenRateLimiter.ts"
import type { OrchestratorError } from "../orchestrator/Orchestrator.ts"
import * as Problem from "./Problem.ts"

const retryAfterMillis = (millis: number | null) => (millis === null ? {} : { retryAfterMillis: millis })

const ofUpstream = (error: ClaudeError) => {
  const { message: detail, reason } = error
  switch (reason._tag) {
    case "RateLimited":
      return new Problem.UpstreamRateLimited({ detail, ...retryAfterMillis(reason.retryAfterMillis) })
    case "Overloaded":
      return new Problem.UpstreamUnavailable({ detail, ...retryAfterMillis(reason.retryAfterMillis) })
    case "CircuitOpen":
      return new Problem.UpstreamUnavailable({ detail, retryAfterMillis: reason.retryAfterMillis })
    case "Rejected":
      return new Problem.UpstreamRejected({ detail, upstreamStatus: reason.status })
    case "Unreachable":
      return new Problem.UpstreamUnavailable({ detail })
    case "TimedOut":
      return new Problem.UpstreamTimedOut({ detail })
    case "ServerFault":
    case "StreamBroken":
      return new Problem.UpstreamFailed({ detail })
  }
}

const ofLimit = ({ message: detail, reason, retryAfterMillis }: RateLimitError) =>
  reason === "TooLarge"
    ? new Problem.LargerThanLimit({ detail })
    : new Problem.RateLimitedProblem({ detail, retryAfterMillis })

const ofBudget = (error: BudgetExceeded) =>
  new Problem.BudgetUsedUp({
    detail: error.message,
    budget: error.budget,
    limitNanoUsd: error.limit,
    spentNanoUsd: error.spent,
    resetsAt: error.resetsAt
  })

/** The database's own words stay in the log: they may name hosts, tables or values. */
export const databaseProblem = (error: ChatRepoError | LedgerError): Problem.StorageUnavailable => {
  const retry = error._tag === "LedgerError" || error.retryable ? "Try again later." : "The server's log says why."
  return new Problem.StorageUnavailable({ detail: `The database could not ${error.operation}. ${retry}` })
}

const ofConversation = (error: ConversationNotFound | ConversationForgotten) =>
  new Problem.ConversationUnknown({ detail: error.message, conversation: error.conversation })

/** Nothing that the database could do about: the client's own words come back. */
const ofRepo = (error: ChatRepoError) =>
  error.kind === "invalid" || error.kind === "conflict"
    ? new Problem.InvalidRequest({ detail: error.message })
    : databaseProblem(error)

/** What reading and writing conversations may fail with. */
export const storageProblem = (error: ChatRepoError | ConversationNotFound) =>
  error._tag === "ConversationNotFound" ? ofConversation(error) : ofRepo(error)

/** What searching may fail with. */
export const searchProblem = (error: ChatRepoError | ConversationNotFound | ConversationForgotten | SearchFailed) => {
  switch (error._tag) {
    case "SearchFailed":
      return new Problem.StorageUnavailable({ detail: "The database could not search the history. Try again later." })
    case "ConversationForgotten":
      return ofConversation(error)
    default:
      return storageProblem(error)
  }
}

/** What pinning may fail with. */
export const pinProblem = (error: ChatRepoError | ConversationNotFound | MessageNotFound | TooManyPins) => {
  switch (error._tag) {
    case "MessageNotFound":
      return new Problem.MessageUnknown({ detail: error.message, conversation: error.conversation, seq: error.seq })
    case "TooManyPins":
      return new Problem.PinsTaken({ detail: error.message, conversation: error.conversation, pins: error.pins })
    default:
      return storageProblem(error)
  }
}

/** The one translation from what a turn fails with to what a client may read. */
export const turnProblem = (error: OrchestratorError): Problem.TurnProblem => {
  switch (error._tag) {
    case "ClaudeError":
      return ofUpstream(error)
    case "RateLimitError":
      return ofLimit(error)
    case "BudgetExceeded":
      return ofBudget(error)
    case "ContextTooLarge": {
      const { conversation, limit, message: detail, seq, tokens } = error
      return new Problem.ContextTooLargeProblem({ detail, conversation, seq, tokens, limit })
    }
    case "InvalidMessage":
      return new Problem.InvalidRequest({ detail: error.message })
    case "TooManyToolRounds":
      return new Problem.TooManyRounds({ detail: error.message, rounds: error.rounds })
    case "ConversationNotFound":
    case "ChatRepoError":
      return storageProblem(error)
  }
}

/** Translates a failure and, where it is not the client's doing, leaves a line in the log. */
export const translate =
  <E extends Error, P extends { readonly status: number }>(toProblem: (error: E) => P) =>
  <A, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, P, R> =>
    Effect.catch(self, (error: E) => {
      const problem = toProblem(error)
      const failed = Effect.fail(problem)
      return problem.status < 500 ? failed : Effect.andThen(Effect.logWarning(error.message), failed)
    })
