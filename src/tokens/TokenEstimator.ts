import { Context, type Effect } from "effect"
import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Usage } from "../domain/Usage.ts"

/** Tokens: the best guess, and a bound that is exceeded in at most 1 % of cases. */
export interface Estimate {
  readonly tokens: number
  readonly upperBound: number
}

/**
 * Predicts prompt sizes without a tokenizer: one pass over each string, weights per content type and tokenizer
 * generation, calibrated per model on what upstream reported. Pure apart from its memory; each message is scanned once.
 */
export class TokenEstimator extends Context.Service<
  TokenEstimator,
  {
    /** The whole prompt: system, tools, messages and per-call overhead. O(new messages) in scanning. */
    readonly estimate: (request: MessagesRequest) => Estimate
    /** One message alone, cached by identity. Sums of `tokens` over messages approach `estimate` without system and tools. */
    readonly message: (message: Message, model: string) => Estimate
    /** A piece of text as it would count inside a user message. */
    readonly text: (text: string, model: string) => Estimate
    /** Teaches the estimator what a request really took (`promptTokens(usage)`). Never fails. */
    readonly observe: (request: MessagesRequest, usage: Usage) => Effect.Effect<void>
  }
>()("sluice/tokens/TokenEstimator") {}
