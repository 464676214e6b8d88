import { Context, type Effect, type Redacted, type Scope, type Stream } from "effect"
import type { AssistantMessage, MessagesRequest, StreamEvent } from "../domain/MessagesRequest.ts"
import type { ClaudeError } from "./ClaudeError.ts"

export interface CallOptions {
  /** Extra headers to forward (lower-case names): `anthropic-beta`, `anthropic-version`, … */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The caller's own key; the configured one otherwise. */
  readonly apiKey?: Redacted.Redacted | undefined
}

export interface ClaudeAnswer {
  readonly message: AssistantMessage
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
}

export interface ClaudeStream {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Events as upstream sent them, `ping` included; fails with `StreamBroken` when `message_stop` never came. */
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
}

/** The upstream: one call, one attempt. Retry and the circuit breaker are in `claude/Retry.ts`, around it. */
export class Claude extends Context.Service<
  Claude,
  {
    readonly send: (request: MessagesRequest, options?: CallOptions) => Effect.Effect<ClaudeAnswer, ClaudeError>
    /** Returns once the response headers are there. Closing the scope aborts the call. */
    readonly stream: (
      request: MessagesRequest,
      options?: CallOptions
    ) => Effect.Effect<ClaudeStream, ClaudeError, Scope.Scope>
    /** Input tokens as upstream counts them. */
    readonly countTokens: (
      request: Omit<MessagesRequest, "max_tokens">,
      options?: CallOptions
    ) => Effect.Effect<number, ClaudeError>
    /** "anthropic", "simulator" or "recorded": for health and logs. */
    readonly kind: string
  }
>()("sluice/claude/Claude") {}
