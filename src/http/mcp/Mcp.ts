import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, Effect, Schema } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  type HttpServerError,
  type HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "effect/http"
import { Tokens } from "../../access/Tokens.ts"
import { Settings } from "../../Settings.ts"
import { fromHere, visitorOf } from "../Access.ts"
import { makeCredentials } from "../gateway/Credentials.ts"
import type { Reader } from "../History.ts"
import { Forbidden, InvalidRequest, MethodNotAllowed, Unauthorized } from "../Problem.ts"
import { Call, failed, type Id, notACall, type RpcError, succeeded, unreadable } from "./JsonRpc.ts"
import { makeRecallServer, protocols } from "./RecallServer.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

const maxBody = ByteSize.kibibytes(64)

const path = "/mcp"

const parse = Schema.decodeEffect(Schema.fromJsonString(Schema.Unknown))
const asCall = Schema.decodeUnknownEffect(Call)

const wrong = (error: RpcError, id: Id | null, status: number): Response =>
  HttpServerResponse.jsonUnsafe(failed(id, error), { status })

/** A client says after the first call which version was agreed on. */
const speaks = ({ headers }: Request): Effect.Effect<void, InvalidRequest> => {
  const version = headers["mcp-protocol-version"]
  return version === undefined || protocols.some((known) => known === version)
    ? Effect.void
    : Effect.fail(new InvalidRequest({ detail: `mcp-protocol-version: ${protocols.join(", ")} are spoken here.` }))
}

const comesFromHere = (request: Request): Effect.Effect<void, Forbidden> =>
  fromHere(request) ? Effect.void : Effect.fail(new Forbidden({ detail: "Pages of other sites may not ask this." }))

const onlyPost = (request: Request) =>
  Effect.map(
    HttpServerRespondable.toResponse(
      new MethodNotAllowed({ detail: `${path} answers to POST, not to ${request.method}.`, allow: ["POST"] })
    ),
    HttpServerResponse.setHeader("allow", "POST")
  )

/** Whose conversations are looked up: as the gateway knows its clients, and as the API knows who reads prompts. */
const makeReaders = Effect.gen(function* () {
  const [settings, tokens] = [yield* Settings, yield* Tokens]
  const authenticate = makeCredentials(tokens)
  return Effect.fnUntraced(function* (request: Request): Effect.fn.Return<Reader, Unauthorized> {
    // The server speaks HTTP/1.1, see Server.ts.
    const { headers } = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
    const { apiKey, grant, owner } = yield* authenticate(request, headers).pipe(
      Effect.mapError(({ message }) => new Unauthorized({ detail: message }))
    )
    if (grant !== undefined) return { _tag: "Tenant", tenant: grant.name }
    if (apiKey !== undefined) return { _tag: "Key", owner }
    const { readsPrompts, tenant } = yield* visitorOf(settings, tokens, request)
    if (readsPrompts) return { _tag: "Tenant", tenant }
    return yield* Effect.fail(new Unauthorized({ detail: "Send ADMIN_TOKEN as `Authorization: Bearer …`." }))
  })
})

/**
 * `POST /mcp`: a Model Context Protocol server over streamable HTTP with the tool `recall_history`, so that the agent of a
 * gateway's client can look up what was condensed. Without sessions: there is nothing to be kept, or lost in a restart.
 */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const readerOf = yield* makeReaders
    const server = yield* makeRecallServer

    const answered = (call: Call, id: Id, reader: Reader): Effect.Effect<Response> =>
      server(call, reader).pipe(
        Effect.map((result) => HttpServerResponse.jsonUnsafe(succeeded(id, result))),
        Effect.catch((error) => Effect.succeed(wrong(error, id, 200)))
      )

    const asked = Effect.fnUntraced(function* (
      request: Request
    ): Effect.fn.Return<Response, HttpServerError.HttpServerError | Unauthorized | Forbidden | InvalidRequest> {
      yield* comesFromHere(request)
      const reader = yield* readerOf(request)
      yield* speaks(request)
      const text = yield* Effect.provideService(request.text, HttpIncomingMessage.MaxBodySize, maxBody)
      return yield* parse(text).pipe(
        Effect.mapError(() => unreadable),
        Effect.flatMap((body) => Effect.mapError(asCall(body), () => notACall)),
        Effect.flatMap((call) =>
          call.id === undefined
            ? Effect.succeed(HttpServerResponse.empty({ status: 202 }))
            : answered(call, call.id, reader)
        ),
        Effect.catchTag("RpcError", (error) => Effect.succeed(wrong(error, null, 400)))
      )
    })

    yield* router.add("*", path, (request) =>
      request.method === "POST"
        ? Effect.catchTag(
            asked(request),
            ["Unauthorized", "Forbidden", "InvalidRequest"],
            HttpServerRespondable.toResponse
          )
        : onlyPost(request)
    )
  })
)
