import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, type Duration, Effect, Layer, Option, type Scope, Stream } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  type HttpServer,
  type HttpServerError,
  type HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { sseFrame } from "../claude/Sse.ts"
import type { Reply, Wire, WireCall } from "../claude/Wire.ts"
import { controlRoutes } from "./SimulatorControl.ts"
import { errorReply } from "./simulator/Errors.ts"
import { Simulator, type SimulatorOptions, type SimulatorService } from "./simulator/Simulator.ts"

export interface SimulatorServerOptions extends SimulatorOptions {
  /** 127.0.0.1 by default. */
  readonly host?: string | undefined
  /** 0 takes any free port; `HttpServer` tells which. */
  readonly port: number
  /** How long answers under way may finish when it stops. One second by default. */
  readonly shutdown?: Duration.Input | undefined
}

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** Breaks the connection, after what was written has left. */
const breakOff = (request: Request): Effect.Effect<void> =>
  Effect.sync(() => {
    const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
    if ("destroySoon" in socket && typeof socket.destroySoon === "function") socket.destroySoon()
    else socket.destroy()
  })

const encoder = new TextEncoder()

const toResponse = (request: Request, reply: Reply): Response => {
  const { "content-type": contentType, ...headers } = reply.headers
  if (reply._tag === "Whole") return HttpServerResponse.jsonUnsafe(reply.body, { status: reply.status, headers })
  const frames = reply.events.pipe(
    Stream.mapArray((events) => [encoder.encode(events.map(sseFrame).join(""))] as const),
    Stream.catch(() => Stream.fromEffectDrain(breakOff(request)))
  )
  return HttpServerResponse.stream(frames, { status: reply.status, headers, contentType })
}

const refuse = (status: number, message: string, id: string): Reply => errorReply(status, message, id)

const parse = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const body: unknown = JSON.parse(text)
    // Only an object passes, and every object can be read this way.
    return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const bodyOf = (request: Request): Effect.Effect<string | undefined> =>
  Effect.map(Effect.option(request.text), Option.getOrUndefined)

const post = (simulator: SimulatorService, path: WireCall["path"]) =>
  Effect.fnUntraced(function* (request: Request): Effect.fn.Return<Response, never, Scope.Scope> {
    const id = "req_sim_unread"
    const text = yield* bodyOf(request)
    if (text === undefined) {
      return toResponse(request, refuse(413, "Request exceeds the maximum size", id))
    }
    const body = parse(text)
    if (body === undefined) {
      return toResponse(request, refuse(400, "The request body is not valid JSON", id))
    }
    if (request.headers["anthropic-version"] === undefined) {
      return toResponse(request, refuse(400, "anthropic-version: header is required", id))
    }
    const call = {
      path,
      body,
      headers: request.headers,
      apiKey: undefined,
      answerMillis: Number.POSITIVE_INFINITY,
      idleMillis: Number.POSITIVE_INFINITY
    }
    return yield* simulator.call(call).pipe(
      Effect.map((reply) => toResponse(request, reply)),
      Effect.catch(() => Effect.as(breakOff(request), HttpServerResponse.empty()))
    )
  })

const models = (simulator: SimulatorService) => (request: Request) =>
  Effect.map(Effect.orDie(HttpRouter.params), ({ id }) => toResponse(request, simulator.models(id)))

/** `HEAD /` and `HEAD /api/hello` are how clients ask whether anybody is there. */
const fallback = (request: Request): Effect.Effect<Response> =>
  Effect.succeed(
    request.method === "HEAD"
      ? HttpServerResponse.empty({ status: 200 })
      : toResponse(request, refuse(404, `Not found: ${request.method} ${request.url}`, "req_sim_unrouted"))
  )

const routes = Layer.unwrap(
  Effect.map(Simulator, (simulator) =>
    Layer.mergeAll(
      HttpRouter.add("POST", "/v1/messages", post(simulator, "/v1/messages")),
      HttpRouter.add("POST", "/v1/messages/count_tokens", post(simulator, "/v1/messages/count_tokens")),
      HttpRouter.add("GET", "/v1/models", models(simulator)),
      HttpRouter.add("GET", "/v1/models/:id", models(simulator)),
      controlRoutes(simulator),
      HttpRouter.add("*", "/*", fallback)
    )
  )
)

/**
 * The simulator on a socket, as `sluice simulate` runs it: the Anthropic routes, and `/simulator/*` to read its bill and
 * to queue faults and answers from another process (see `controlRoutes`).
 */
export const layer = ({
  host = "127.0.0.1",
  port,
  shutdown = "1 second",
  ...options
}: SimulatorServerOptions): Layer.Layer<Simulator | Wire | HttpServer.HttpServer, HttpServerError.ServeError> =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize, ByteSize.mebibytes(32))),
    Layer.provideMerge(Simulator.layerWith({ requireKey: true, ...options })),
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, { host, port, gracefulShutdownTimeout: shutdown })),
    Layer.provide(NodeHttpServer.layerHttpServices)
  )
