import type { Effect } from "effect"
import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Usage } from "../domain/Usage.ts"

/** Tokens: the best guess, and a bound that is exceeded in at most 1 % of cases. Whole numbers. */
export interface Estimate {
  readonly tokens: number
  readonly upperBound: number
}

/** What `TokenEstimator` can do. */
export interface Estimating {
  /**
   * The whole prompt: system, tools, messages and per-call overhead. O(new messages) in scanning. Once a prompt was
   * observed, one that begins with the same model, system, tools and messages is its real size plus what is new.
   */
  readonly estimate: (request: MessagesRequest) => Estimate
  /** One message alone, cached by identity. Sums of `tokens` over messages approach `estimate` without system and tools. */
  readonly message: (message: Message, model: string) => Estimate
  /** A piece of text as it would count inside a user message. */
  readonly text: (text: string, model: string) => Estimate
  /** Teaches the estimator what a request really took (`promptTokens(usage)`, and `output` for the answer). Never fails. */
  readonly observe: (request: MessagesRequest, usage: Usage) => Effect.Effect<void>
}
