import { type Cause, Effect, Queue, type Scope, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Visitor } from "../ApiAccess.ts"
import type { Feed, Frame, Sink } from "./Feed.ts"

/** Frames that may wait for a slow reader: everything that is kept, and as much again. */
export const mostWaiting = 2_500

const encoder = new TextEncoder()
const render = ({ json, seq }: Frame): Uint8Array => encoder.encode(`id: ${seq}\ndata: ${json}\n\n`)

/** Where a browser that lost its connection tells what it has. */
const lastEventId = ({ headers }: HttpServerRequest.HttpServerRequest): number | undefined => {
  const given = headers["last-event-id"]
  return given !== undefined && /^\d{1,15}$/.test(given) ? Number(given) : undefined
}

/** The live feed as server-sent events. A reader that is too slow sees the end of the stream, and may ask for the rest. */
export const sse = Effect.fnUntraced(function* (
  feed: Feed["Service"],
  visitor: Visitor,
  since: number | undefined
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, never, Scope.Scope | HttpServerRequest.HttpServerRequest> {
  const waiting = yield* Queue.unbounded<Uint8Array, Cause.Done>()
  const sink: Sink = {
    end: Effect.asVoid(Queue.end(waiting)),
    take: (frames) =>
      Effect.suspend(() => {
        const full = Queue.sizeUnsafe(waiting) + frames.length > mostWaiting
        return full
          ? Effect.as(Queue.end(waiting), false)
          : Effect.as(Queue.offerAll(waiting, frames.map(render)), true)
      })
  }
  const request = yield* HttpServerRequest.HttpServerRequest
  yield* feed.join({ since: since ?? lastEventId(request), tenant: visitor.tenant, sink })
  return HttpServerResponse.stream(Stream.fromQueue(waiting), {
    contentType: "text/event-stream; charset=utf-8",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
})
