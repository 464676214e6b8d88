import type { Effect, Redacted, Stream } from "effect"
import type { CallOptions } from "../claude/Claude.ts"
import type { ClaudeError } from "../claude/ClaudeError.ts"
import type { BudgetExceeded } from "../costs/CostTracker.ts"
import type { CacheOutcome } from "../domain/Event.ts"
import type { AssistantMessage, StreamEvent } from "../domain/MessagesRequest.ts"
import type { NanoUsd } from "../domain/Money.ts"
import type { Usage } from "../domain/Usage.ts"
import type { RateLimitError } from "../limits/TokenRateLimiter.ts"

export type GovernorError = ClaudeError | BudgetExceeded | RateLimitError

export interface RunOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  /** For a gateway: the caller's own bytes and headers, see `Forward`. */
  readonly forward?: CallOptions["forward"]
  readonly cache?: "on" | "off" | "refresh" | undefined
  /** Answers are shared only between requests of one tenant and one scope; by default a key of one's own is one. */
  readonly cacheScope?: string | undefined
  /** Prompt tokens the whole history would have cost; the request's own estimate otherwise. */
  readonly rawTokens?: number | undefined
  /** The caller's estimate of the prompt that is sent, by the same measure as `rawTokens`. */
  readonly sentTokens?: number | undefined
  readonly deadlineMillis?: number | undefined
  /** Made by the caller for idempotent accounting; a fresh one otherwise. */
  readonly requestId?: string | undefined
}

/** What one governed request came to. */
export interface Settlement {
  readonly requestId: string
  readonly model: string
  readonly usage: Usage
  readonly costNanoUsd: NanoUsd
  readonly savedNanoUsd: NanoUsd
  readonly cache: CacheOutcome
  readonly queueMillis: number
  readonly upstreamMillis: number
  /** True when the stream broke off and the usage was completed from what was received. */
  readonly partial: boolean
  /** Why another model than the requested one answered; undefined when it did not. */
  readonly routing?: string | undefined
}

export interface GovernedAnswer {
  readonly message: AssistantMessage
  readonly headers: Readonly<Record<string, string>>
  readonly settlement: Settlement
}

export interface GovernedStream {
  readonly requestId: string
  readonly model: string
  readonly cache: CacheOutcome
  readonly queueMillis: number
  readonly headers: Readonly<Record<string, string>>
  /** The whole answer, where it was there already. */
  readonly answer?: AssistantMessage | undefined
  /** Well-formed events, from upstream or replayed. Abandoning them settles what was received. */
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
  /** Done once the request is settled, which also happens when the events are abandoned. */
  readonly settlement: Effect.Effect<Settlement>
}
