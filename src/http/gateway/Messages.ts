import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Option, Scope, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { refusesThinking } from "../../claude/refusesThinking.ts"
import type { ContextTooLarge } from "../../context/PreparedContext.ts"
import { type PreparedRequest, StatelessContexts } from "../../context/StatelessContexts.ts"
import { askedUpstream } from "../../domain/Event.ts"
import type { MessagesRequest } from "../../domain/MessagesRequest.ts"
import { originalOf } from "../../domain/Original.ts"
import {
  type GovernedStream,
  Governor,
  type GovernorError,
  type RunOptions,
  type Settlement
} from "../../governor/Governor.ts"
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
  /** What the context learns from; undefined where it is left alone. */
  readonly settled: ((settlement: Settlement) => void) | undefined
  /** Once more, where upstream refuses thinking that is bound to another history; undefined: there is none to leave out. */
  readonly repaired: Effect.Effect<Understood | undefined, GatewayError>
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

const both = (one: Understood["settled"], other: Understood["settled"]): Understood["settled"] =>
  one && other
    ? (settlement) => {
        one(settlement)
        other(settlement)
      }
    : (one ?? other)

/** `POST /v1/messages`, whole and streamed, through the Governor. */
export const makeMessages = Effect.fnUntraced(function* (front: Front) {
  const governor = yield* Governor
  const contexts = yield* StatelessContexts
  const { aliveEvery, quiet } = yield* Patience
  const readers = yield* makeReaders

  /** Another attempt is another request to the ledger. */
  const made = (
    { asked, options, ...first }: Pick<Understood, "asked" | "options" | "repaired">,
    { changed, conversation, rawTokens, request, settled, tokens }: PreparedRequest
  ): Understood => ({
    ...first,
    asked,
    message: request,
    leftOut: changed ? Math.max(0, rawTokens - tokens) : 0,
    named: markConversation(conversation),
    settled: settled && (({ cache, usage }) => askedUpstream(cache) && settled(usage)),
    options: changed
      ? { ...options, rawTokens, forward: options.forward && { ...options.forward, body: undefined } }
      : options
  })

  const managed = Effect.fnUntraced(function* (
    message: MessagesRequest,
    asked: Asked,
    options: RunOptions,
    owner: string
  ): Effect.fn.Return<Understood, ContextTooLarge> {
    const by = { ...asked.caller, owner }
    const again = { ...options, requestId: `${options.requestId}_2` }
    const repaired = Effect.map(contexts.repair(message, by, asked), (request) =>
      request === undefined ? undefined : made({ asked, options: again, repaired: Effect.undefined }, request)
    )
    return made({ asked, options, repaired }, yield* contexts.prepare(message, by, asked))
  })

  const understood = Effect.fnUntraced(function* (
    request: Request,
    credentials: Credentials,
    requestId: string
  ): Effect.fn.Return<Understood, GatewayError> {
    const { headers } = incoming(request)
    const asked = readAsked(headers, credentials, front.settings)
    if ("_tag" in asked) return yield* Effect.fail(asked)
    const body = yield* readBody(request)
    const parsed = yield* Effect.flatMap(decodeBody(body, headers["content-encoding"]), parseBody)
    const message = yield* asRequest(parsed)
    const options: RunOptions = {
      requestId,
      headers: upstreamHeaders(headers),
      apiKey: credentials.apiKey,
      // An answer in a message thread can be gone on from once: it belongs to one client.
      cache: "thread" in message ? "off" : asked.cache,
      // Two versions of the API may word one answer differently.
      cacheScope: scopeFor(credentials.owner, headers["anthropic-version"]),
      deadlineMillis: asked.deadlineMillis,
      forward: { body, query: queryOf(request.url), scheme: credentials.scheme }
    }
    if (asked.context === "compact") return yield* managed(message, asked, options, credentials.owner)
    return { message, asked, options, leftOut: 0, named: {}, settled: undefined, repaired: Effect.undefined }
  })

  /** Serves; a history whose thinking upstream refuses is repaired once, in the log's sight, and served again. */
  const repairing = <A, R>(it: Understood, serve: (it: Understood) => Effect.Effect<A, GovernorError, R>) =>
    Effect.catchTag(serve(it), "ClaudeError", (error) =>
      refusesThinking(error)
        ? Effect.flatMap(it.repaired, (again) =>
            again === undefined
              ? Effect.fail(error)
              : Effect.andThen(
                  Effect.logWarning(`Upstream refused thinking; it is sent once more without: ${error.message}`),
                  serve(again)
                )
          )
        : Effect.fail(error)
    )

  const whole = (it: Understood): Effect.Effect<Response, GatewayError> => {
    const { leftOut, named } = it
    const served = repairing(it, ({ asked, message, options }) => governor.run(message, asked.caller, options))
    return Effect.map(served, (answer) => {
      it.settled?.(answer.settlement)
      const bytes = originalOf(answer.message) ?? encoder.encode(JSON.stringify(answer.message))
      const marks = markSettled(answer.settlement, answer.message, leftOut)
      return HttpServerResponse.uint8Array(bytes, {
        contentType: "application/json",
        headers: { "request-id": answer.settlement.requestId, ...downstream(answer.headers), ...named, ...marks }
      })
    })
  }

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
  const trailers = (request: Request): Understood["settled"] => {
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
    it: Understood,
    requestId: string
  ): Effect.fn.Return<Response, GatewayError, Scope.Scope> {
    const { leftOut, named } = it
    const scope = yield* Effect.scope
    const streamOptions = { requestId, scope, aliveEvery, onSettled: both(it.settled, trailers(request)) }
    const opening: Opening = yield* Effect.forkIn(
      Scope.provide(
        repairing(it, ({ asked, message, options }) => governor.stream(message, asked.caller, options)),
        scope
      ),
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
