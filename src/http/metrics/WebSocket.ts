import type { Socket as NetSocket } from "node:net"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Deferred, Effect, Exit } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { Tokens } from "../../access/Tokens.ts"
import { Settings } from "../../Settings.ts"
import { fromHere, visitorOf } from "../Access.ts"
import { Forbidden, InvalidRequest, TooManyListeners } from "../Problem.ts"
import { Feed, type Frame, type Sink } from "./Feed.ts"

type Request = HttpServerRequest.HttpServerRequest

/** Bytes that may wait for a slow reader before it is dropped. */
const mostWaiting = 1024 * 1024
/** Connections at once. */
const mostMembers = 4_096
/** "Try again later": the close code for a reader that is too slow. */
const tooSlow = new Socket.CloseEvent(1013, "too slow")
const goingAway = new Socket.CloseEvent(1001, "shutting down")
/** How long a dropped reader has to see the close code. */
const grace = "5 seconds"

const offered = /(?:^|,)\s*bearer\.([\w-]+)\s*(?:,|$)/

/** A browser cannot set headers here; the token may come as the subprotocol `bearer.<base64url>`, after `sluice`. */
const withToken = (request: Request): Request => {
  const token = offered.exec(request.headers["sec-websocket-protocol"] ?? "")?.[1]
  if (token === undefined) return request
  const authorization = `Bearer ${Buffer.from(token, "base64url").toString()}`
  return request.modify({ headers: { ...request.headers, authorization } })
}

const sinceOf = (request: Request): Effect.Effect<number | undefined, InvalidRequest> => {
  const given = new URLSearchParams(request.url.split("?", 2)[1] ?? "").get("since")
  if (given === null) return Effect.undefined
  return /^\d{1,15}$/.test(given)
    ? Effect.succeed(Number(given))
    : Effect.fail(new InvalidRequest({ detail: "since: the number of an event, 0 or more." }))
}

const isUpgrade = ({ headers }: Request): boolean => headers.upgrade?.toLowerCase() === "websocket"

/** Who may listen, to what, from when. */
const admitted = Effect.fnUntraced(function* (request: Request, members: number) {
  const [settings, tokens] = [yield* Settings, yield* Tokens]
  if (!fromHere(request)) {
    return yield* Effect.fail(new Forbidden({ detail: "A page of another site may not listen here." }))
  }
  const { tenant } = yield* visitorOf(settings, tokens, withToken(request))
  if (!isUpgrade(request)) {
    const detail = "This is a WebSocket: connect with ws:// or wss://, or read /api/events."
    return yield* Effect.fail(new InvalidRequest({ detail }))
  }
  if (members >= mostMembers) {
    return yield* Effect.fail(new TooManyListeners({ detail: "Too many listen already. Try again later." }))
  }
  return { tenant, since: yield* sinceOf(request) }
})

/**
 * Writes to the socket as long as the network takes it away: `ws` itself would buffer without end, so what waits in the
 * connection beneath it decides.
 */
const sinkOf = (writer: Socket.Writer, connection: NetSocket, dropped: Deferred.Deferred<void>): Sink => ({
  end: Effect.andThen(Effect.ignore(writer.write(goingAway)), Deferred.done(dropped, Exit.void)),
  take: (frames: ReadonlyArray<Frame>) =>
    Effect.suspend(() => {
      const [first, ...others] = frames.map(({ json }) => json)
      if (first === undefined) return Effect.succeed(true)
      if (connection.writableLength <= mostWaiting) return Effect.as(writer.writeAll([first, ...others]), true)
      Deferred.doneUnsafe(dropped, Effect.void)
      return Effect.as(writer.write(tooSlow), false)
    }).pipe(Effect.catch(() => Effect.succeed(false)))
})

/** What clients say is not asked for; reading it tells when they go. */
const untilGone = (reader: Socket.Reader) => Effect.catch(Effect.forever(reader.pull), () => Effect.void)

const listen = Effect.fnUntraced(function* (feed: Feed["Service"], request: Request) {
  const { since, tenant } = yield* admitted(request, yield* feed.members)
  const connection = NodeHttpServerRequest.toIncomingMessage(request).socket
  const socket = yield* request.upgrade
  const dropped = yield* Deferred.make<void>()
  const listening = Effect.gen(function* () {
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    yield* feed.join({ since, tenant, sink: sinkOf(writer, connection, dropped) })
    const hungUp = Deferred.await(dropped).pipe(
      Effect.andThen(Effect.sleep(grace)),
      Effect.andThen(Effect.sync(() => connection.destroy()))
    )
    yield* Effect.raceFirst(untilGone(reader), hungUp)
  })
  // A client that gives up during the handshake is no news.
  yield* Effect.catchTag(Effect.scoped(listening), "SocketError", () => Effect.void)
  return HttpServerResponse.empty()
})

/** A connection that was to leave HTTP takes no further request; its client is told. */
const refused = (request: Request) => (problem: HttpServerRespondable.Respondable) =>
  Effect.map(HttpServerRespondable.toResponse(problem), (response) =>
    isUpgrade(request) ? HttpServerResponse.setHeader(response, "connection", "close") : response
  )

/** `GET /ws`: every event as a text frame. */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const feed = yield* Feed
    const settings = yield* Settings
    yield* router.add("GET", "/ws", (request) =>
      listen(feed, request).pipe(
        Effect.provideService(Settings, settings),
        Effect.catchTags({
          Forbidden: refused(request),
          InvalidRequest: refused(request),
          TooManyListeners: refused(request),
          Unauthorized: refused(request)
        })
      )
    )
  })
)
