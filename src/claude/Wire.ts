import { Context, type Effect, type Redacted, type Scope, type Stream } from "effect"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import type { ClaudeError } from "./ClaudeError.ts"

/** What a gateway received and hands on as it is. */
export interface Forward {
  /** The body's own bytes; undefined when something changed the request, which is then written anew. */
  readonly body: Uint8Array | undefined
  /** The query string with its `?`, or "". */
  readonly query: string
  /** How the caller presented its key: upstream gets it the same way. */
  readonly scheme: "bearer" | "x-api-key"
}

/** One call as it goes to an upstream. */
export interface WireCall {
  readonly path: "/v1/messages" | "/v1/messages/count_tokens"
  readonly body: Readonly<Record<string, unknown>>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly apiKey: Redacted.Redacted | undefined
  /** How long the response headers may take, in milliseconds. */
  readonly answerMillis: number
  /** Set for a gateway's call: bytes instead of `body`, all `headers`, and answers that remember their own bytes. */
  readonly forward?: Forward | undefined
}

/** Any other route of upstream's API, as a gateway received it. */
export interface RelayCall {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly query: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly apiKey: Redacted.Redacted | undefined
  readonly scheme: Forward["scheme"]
  readonly answerMillis: number
}

/** What upstream answered, whatever the status. */
export interface Relayed extends Answered {
  readonly body: Uint8Array
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
  /** The body as it came, of a gateway's call. */
  readonly bytes?: Uint8Array | undefined
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
  /** Passes one request on and its answer back, ungoverned: for what is neither billed nor limited here. */
  readonly relay?: ((call: RelayCall) => Effect.Effect<Relayed, ClaudeError>) | undefined
  readonly kind: string
}

/**
 * Carries one call to an upstream and brings back what it answered: the SDK over sockets, or the simulator in process.
 * Everything above it (errors, stream guard, retry) is the same code for both.
 */
export class Wire extends Context.Service<Wire, WireService>()("sluice/claude/Wire") {}
