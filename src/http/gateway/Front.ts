import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Cause, Effect, Option, type Scope } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { Tokens } from "../../access/Tokens.ts"
import { makeRequestIds } from "../../governor/requestIds.ts"
import { Settings, type SettingsShape } from "../../Settings.ts"
import { type Credentials, makeCredentials } from "./Credentials.ts"
import { crashed, failureResponse, type GatewayError, tell } from "./Failure.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** What every gateway route begins and ends with. */
export interface Front {
  readonly settings: SettingsShape
  /** Finds out who asks and names the request; whatever goes wrong is answered in the Messages API's shape. */
  readonly answer: (
    request: Request,
    respond: (credentials: Credentials, requestId: string) => Effect.Effect<Response, GatewayError, Scope.Scope>
  ) => Effect.Effect<Response, never, Scope.Scope>
}

const marks = (requestId: string) => ({ "x-sluice-request-id": requestId })

const told = (cause: Cause.Cause<GatewayError>, requestId: string): Effect.Effect<Response> => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error !== undefined) return Effect.succeed(failureResponse(tell(error, requestId), marks(requestId)))
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  return Effect.as(
    Effect.logError(`Request ${requestId} crashed`, cause),
    failureResponse(crashed(requestId), marks(requestId))
  )
}

export const makeFront = Effect.gen(function* () {
  const settings = yield* Settings
  const authenticate = makeCredentials(yield* Tokens)
  const nextId = yield* makeRequestIds

  const answer: Front["answer"] = (request, respond) =>
    Effect.suspend(() => {
      // Never the client's own.
      const requestId = nextId()
      // The server speaks HTTP/1.1, see Server.ts.
      const { headers } = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
      return Effect.catchCause(
        Effect.flatMap(authenticate(request, headers), (credentials) => respond(credentials, requestId)),
        (cause) => told(cause, requestId)
      )
    })

  return { settings, answer } satisfies Front
})
