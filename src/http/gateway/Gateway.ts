import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { refusal } from "./Failure.ts"
import { makeFront } from "./Front.ts"
import { makeMessages } from "./Messages.ts"
import { makeRelay } from "./Relay.ts"

type Request = HttpServerRequest.HttpServerRequest

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url

const methods: Readonly<Record<string, string>> = {
  "/v1/messages": "POST",
  "/v1/messages/count_tokens": "POST",
  "/v1/models": "GET"
}

const unknown = ({ method, url }: Request) => {
  const path = pathOf(url)
  const allowed = Object.hasOwn(methods, path) ? methods[path] : undefined
  return allowed === undefined
    ? refusal(404, "not_found_error", `There is no ${method} ${path} here: only what is governed passes this gateway.`)
    : refusal(405, "invalid_request_error", `${path} answers to ${allowed}, not to ${method}.`, { allow: allowed })
}

/** Clients ask whether anybody is there before they begin. */
const hello = HttpServerResponse.jsonUnsafe({ message: "hello" })
/** The router knows HEAD, its type does not; GET of the same path belongs to the dashboard. */
const head = "HEAD" as "GET"
const here = HttpServerResponse.empty({ status: 200 })

/**
 * The Messages API as its clients know it, governed: `POST /v1/messages` goes through the Governor, `count_tokens` and
 * the models are passed on. What it keeps and what it adds: docs/gateway.md.
 */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const front = yield* makeFront
    const relay = yield* makeRelay(front)
    yield* router.add("POST", "/v1/messages", yield* makeMessages(front))
    yield* router.add("POST", "/v1/messages/count_tokens", relay("POST"))
    yield* router.add("GET", "/v1/models", relay("GET"))
    yield* router.add("GET", "/v1/models/:id", relay("GET"))
    yield* router.add(head, "/", here)
    yield* router.add("GET", "/api/hello", hello)
    yield* router.add("*", "/v1/*", (request) => front.answer(request, () => Effect.fail(unknown(request))))
  })
)
