import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { Claude } from "../../claude/Claude.ts"
import { readBody } from "./Body.ts"
import { refusal } from "./Failure.ts"
import type { Front } from "./Front.ts"
import { downstream, upstreamHeaders } from "./Headers.ts"

type Request = HttpServerRequest.HttpServerRequest

/** `count_tokens` and the models are quick; who waits longer asks again. */
const answerMillis = 60_000

const noUpstream = refusal(404, "not_found_error", "There is no API behind this gateway that could answer this.")

const split = (url: string): { readonly path: string; readonly query: string } => {
  const at = url.indexOf("?")
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at) }
}

/** What comes compressed, though nobody asked for it, stays so. */
const wrapping = ({ "content-encoding": encoding }: Readonly<Record<string, string>>): Record<string, string> =>
  encoding === undefined ? {} : { "content-encoding": encoding }

/** Routes that cost nothing and have limits of their own: passed on and back as they are, to clients that may come in. */
export const makeRelay = Effect.fnUntraced(function* (front: Front) {
  const { relay } = yield* Claude
  return (method: "GET" | "POST") => (request: Request) =>
    front.answer(
      request,
      Effect.fnUntraced(function* ({ apiKey, scheme }, requestId) {
        if (relay === undefined) return yield* Effect.fail(noUpstream)
        // The server speaks HTTP/1.1, see Server.ts.
        const { headers } = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
        const body = method === "POST" ? yield* readBody(request) : undefined
        const call = { method, ...split(request.url), headers: upstreamHeaders(headers), body, apiKey, scheme }
        const answer = yield* relay({ ...call, answerMillis })
        return HttpServerResponse.uint8Array(answer.body, {
          status: answer.status,
          contentType: answer.headers["content-type"] ?? "application/json",
          headers: {
            "request-id": requestId,
            ...downstream(answer.headers),
            ...wrapping(answer.headers),
            "x-sluice-request-id": requestId
          }
        })
      })
    )
})
