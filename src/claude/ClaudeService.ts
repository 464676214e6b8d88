import type { Effect, Redacted, Scope, Stream } from "effect"
import type { ContentBlock, Message } from "../domain/Message.ts"
import type { AssistantMessage, MessagesRequest, StreamEvent, ToolDefinition } from "../domain/MessagesRequest.ts"
import type { ClaudeError } from "./ClaudeError.ts"
import type { Forward, RelayCall, Relayed } from "./Wire.ts"

export type { Forward, RelayCall, Relayed } from "./Wire.ts"

/**
 * What happened to one attempt of a call, told as soon as it is known.
 *
 * - `Answered`: upstream answered attempt `attempt` (from 1) with these headers, whatever the status; for the limiter.
 *   A stream is answered when its headers are there.
 * - `Abandoned`: the attempt failed and another one follows, so the caller will never see this error. `billed` is
 *   `"unknown"` when upstream may have worked on it (time-out, reset, stream broken before its first event) and `"no"`
 *   when it refused or was never reached; for the ledger. The last attempt's failure is the call's own and is not told here.
 */
export type AttemptEvent =
  | {
      readonly _tag: "Answered"
      readonly attempt: number
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
    }
  | {
      readonly _tag: "Abandoned"
      readonly attempt: number
      readonly error: ClaudeError
      readonly billed: "no" | "unknown"
    }

export interface CallOptions {
  /** Extra headers to forward (lower-case names): `anthropic-beta`, `anthropic-version`, … */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The caller's own key; the configured one otherwise. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** For a gateway: `headers` are all that is sent, and the body goes as it came. See `Forward`. */
  readonly forward?: Forward | undefined
  /** Told about every attempt, see `AttemptEvent`. Runs before the call goes on; must not fail. */
  readonly onAttempt?: ((event: AttemptEvent) => Effect.Effect<void>) | undefined
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

/** The body of `count_tokens`: a Messages body without `max_tokens`; open. */
export interface CountTokensRequest {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly system?: string | ReadonlyArray<ContentBlock>
  readonly tools?: ReadonlyArray<ToolDefinition>
  readonly [field: string]: unknown
}

/** What `Claude` offers; see there. */
export interface ClaudeService {
  /** One whole answer. Non-streaming: `stream` in the request is ignored. Interruption aborts the call. */
  readonly send: (request: MessagesRequest, options?: CallOptions) => Effect.Effect<ClaudeAnswer, ClaudeError>
  /**
   * Returns once the response headers are there (with retry: once the first event is there). Closing the scope aborts
   * the call.
   */
  readonly stream: (
    request: MessagesRequest,
    options?: CallOptions
  ) => Effect.Effect<ClaudeStream, ClaudeError, Scope.Scope>
  /** Input tokens as upstream counts them. */
  readonly countTokens: (request: CountTokensRequest, options?: CallOptions) => Effect.Effect<number, ClaudeError>
  /** Passes any other request on and its answer back, whatever its status; one attempt. Missing where there is no API. */
  readonly relay?: ((call: RelayCall) => Effect.Effect<Relayed, ClaudeError>) | undefined
  /** Model families upstream failed for repeatedly, with no success since. Missing where nothing watches for it. */
  readonly failing?: Effect.Effect<ReadonlyArray<string>> | undefined
  /** "anthropic", "simulator" or "recorded": for health and logs. */
  readonly kind: string
}
