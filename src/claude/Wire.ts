import { Context, type Effect, type Redacted, type Scope, type Stream } from "effect"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import type { ClaudeError } from "./ClaudeError.ts"

/** One call as it goes to an upstream. */
export interface WireCall {
  readonly path: "/v1/messages" | "/v1/messages/count_tokens"
  readonly body: Readonly<Record<string, unknown>>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly apiKey: Redacted.Redacted | undefined
  /** How long the response headers may take, in milliseconds. */
  readonly answerMillis: number
}

interface Answered {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
}

/** A whole JSON body, error or not. */
export interface Whole extends Answered {
  readonly _tag: "Whole"
  readonly body: unknown
}

/** A server-sent event stream; fails when the connection breaks or falls silent, ends when upstream closes it. */
export interface Events extends Answered {
  readonly _tag: "Events"
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
}

export type Reply = Whole | Events

export interface WireService {
  /** One attempt. Fails only when no answer came (`Unreachable`, `TimedOut`); closing the scope aborts it. */
  readonly call: (call: WireCall) => Effect.Effect<Reply, ClaudeError, Scope.Scope>
  readonly kind: string
}

/**
 * Carries one call to an upstream and brings back what it answered: the SDK over sockets, or the simulator in process.
 * Everything above it (errors, stream guard, retry) is the same code for both.
 */
export class Wire extends Context.Service<Wire, WireService>()("sluice/claude/Wire") {}
