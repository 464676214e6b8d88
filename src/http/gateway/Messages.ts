import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Option, Scope, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { StatelessContexts } from "../../context/StatelessContexts.ts"
import type { MessagesRequest } from "../../domain/MessagesRequest.ts"
import { originalOf } from "../../domain/Original.ts"
import { type GovernedStream, Governor, type RunOptions, type Settlement } from "../../governor/Governor.ts"
import { type Asked, readAsked } from "./Asked.ts"
import { decodeBody, parseBody, readBody } from "./Body.ts"
import { type Credentials, scopeFor } from "./Credentials.ts"
import type { GatewayError } from "./Failure.ts"
import type { Front } from "./Front.ts"
import { downstream, upstreamHeaders } from "./Headers.ts"
import { type Marks, markConversation, markOpened, markSettled } from "./Marks.ts"
import { inTime, Patience } from "./Patience.ts"
import { makeReaders, watched } from "./Readers.ts"
import { asRequest } from "./Shape.ts"
import { type BytesPull, type Opening, streamBytes, waitingBytes } from "./StreamBytes.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** A request that was understood, ready to be governed. */
interface Understood {
  readonly message: MessagesRequest
  readonly asked: Asked
  readonly options: RunOptions
  /** Prompt tokens that the context left out. */
  readonly leftOut: number
  readonly named: Marks
}

const eventStream = "text/event-stream; charset=utf-8"

const queryOf = (url: string): string => {
  const at = url.indexOf("?")
  return at < 0 ? "" : url.slice(at)
}

const incoming = (request: Request): IncomingMessage =>
  // The server speaks HTTP/1.1, see Server.ts.
  NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage

const encoder = new TextEncoder()

/** `POST /v1/messages`, whole and streamed, through the Governor. */
export const makeMessages = Effect.fnUntraced(function* (front: Front) {
  const governor = yield* Governor
  const contexts = yield* StatelessContexts
  const { aliveEvery, quiet } = yield* Patience
  const readers = yield* makeReaders

  const prepared = Effect.fnUntraced(function* (message: MessagesRequest, asked: Asked, owner: string) {
    if (asked.context === "off") return { message, changed: false, rawTokens: undefined, leftOut: 0, named: {} }
    const by = { ...asked.caller, owner }
    const { changed, conversation, rawTokens, request, tokens } = yield* contexts.prepare(message, by, asked)
    const leftOut = changed ? Math.max(0, rawTokens - tokens) : 0
    return { message: request, changed, rawTokens, leftOut, named: markConversation(conversation) }
  })

  const understood = Effect.fnUntraced(function* (
    request: Request,
    credentials: Credentials,
    requestId: string
  ): Effect.fn.Return<Understood, GatewayError> {
    const { headers } = incoming(request)
    const asked = readAsked(headers, credentials, front.settings)
    if ("_tag" in asked) return yield* Effect.fail(asked)
    const bytes = yield* readBody(request)
    const encoding = headers["content-encoding"]
    const body = yield* Effect.flatMap(decodeBody(bytes, encoding), parseBody)
    const context = yield* prepared(yield* asRequest(body), asked, credentials.owner)
    const { changed, leftOut, message, named, rawTokens } = context
    const forward = { body: changed ? undefined : bytes, query: queryOf(request.url), scheme: credentials.scheme }
    return {
      message,
      asked,
      leftOut,
      named,
      options: {
        requestId,
        headers: upstreamHeaders(headers),
        apiKey: credentials.apiKey,
        // An answer in a message thread can be gone on from once: it belongs to one client.
        cache: "thread" in message ? "off" : asked.cache,
        // Two versions of the API may word one answer differently.
        cacheScope: scopeFor(credentials.owner, headers["anthropic-version"]),
        deadlineMillis: asked.deadlineMillis,
        rawTokens: changed ? rawTokens : undefined,
        forward
      }
    }
  })

  const whole = ({ asked, leftOut, message, named, options }: Understood): Effect.Effect<Response, GatewayError> =>
    Effect.map(governor.run(message, asked.caller, options), (answer) => {
      const bytes = originalOf(answer.message) ?? encoder.encode(JSON.stringify(answer.message))
      const marks = markSettled(answer.settlement, answer.message, leftOut)
      return HttpServerResponse.uint8Array(bytes, {
        contentType: "application/json",
        headers: { "request-id": answer.settlement.requestId, ...downstream(answer.headers), ...named, ...marks }
      })
    })

  const streamed = (request: Request, pull: BytesPull, headers: Marks) =>
    Effect.map(
      watched(readers, pull, () => incoming(request).destroy()),
      (bytes): Response =>
        HttpServerResponse.stream(Stream.fromPull(Effect.succeed(bytes)), {
          contentType: eventStream,
          headers: { "cache-control": "no-cache", "x-accel-buffering": "no", ...headers }
        })
    )

  /** Whoever reads trailers (`TE: trailers`) hears there what a stream cost. */
  const trailers = (request: Request): ((settlement: Settlement) => void) | undefined => {
    const source = incoming(request)
    if (source.headers.te?.includes("trailers") !== true) return undefined
    const response = NodeHttpServerRequest.toServerResponse(request)
    return ({ costNanoUsd, queueMillis }) =>
      response.addTrailers({
        "x-sluice-cost-nano-usd": String(costNanoUsd),
        "x-sluice-queue-ms": String(queueMillis)
      })
  }

  const stream = Effect.fnUntraced(function* (
    request: Request,
    { asked, leftOut, message, named, options }: Understood,
    requestId: string
  ): Effect.fn.Return<Response, GatewayError, Scope.Scope> {
    const scope = yield* Effect.scope
    const streamOptions = { requestId, scope, aliveEvery, onSettled: trailers(request) }
    const opening: Opening = yield* Effect.forkIn(
      Scope.provide(governor.stream(message, asked.caller, options), scope),
      scope,
      { startImmediately: true }
    )
    const exit = opening.pollUnsafe()
    const opened: Option.Option<GovernedStream> =
      exit === undefined ? yield* inTime(opening, quiet) : Option.some(yield* exit)
    if (Option.isNone(opened)) {
      return yield* streamed(request, waitingBytes(opening, streamOptions), {
        "request-id": requestId,
        "x-sluice-request-id": requestId,
        ...named
      })
    }
    const pull = yield* streamBytes(opened.value, streamOptions)
    return yield* streamed(request, pull, {
      "request-id": requestId,
      ...downstream(opened.value.headers),
      ...named,
      ...markOpened(opened.value, leftOut)
    })
  })

  return (request: Request) =>
    front.answer(request, (credentials, requestId) =>
      Effect.flatMap(understood(request, credentials, requestId), (it) =>
        it.message.stream === true ? stream(request, it, requestId) : whole(it)
      )
    )
})
