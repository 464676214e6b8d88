import { Cause, Duration, Effect, LogLevel, References, type Types } from "effect"
import {
  FindMyWay,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "effect/http"
import { HttpApi } from "effect/http-api"
import { Api } from "./Api.ts"
import * as Problem from "./Problem.ts"
import { routerConfig } from "./routerConfig.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Routes that the declarations do not hold. */
const undeclared = ["/", "/openapi.json", "/docs", "/ws"] as const

const routes = (() => {
  const known = FindMyWay.make<string>(routerConfig)
  const methods = new Set<string>(["GET"])
  for (const path of undeclared) known.on("GET", path, "GET")
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => {
      methods.add(method)
      // Declared paths begin with a slash: HttpApiEndpoint's own type says so.
      known.on(method, path as `/${string}`, method)
    }
  })
  return { known, methods: [...methods].sort() }
})()

const allowed = (url: string): ReadonlyArray<string> =>
  routes.methods.filter((method) => routes.known.find(method, url) !== undefined)

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url

const unrouted = (request: HttpServerRequest.HttpServerRequest) => {
  const path = pathOf(request.url)
  const allow = allowed(request.url)
  if (allow.length === 0) {
    return new Problem.RouteUnknown({ detail: `There is nothing at ${path}. See /docs.` })
  }
  return new Problem.MethodNotAllowed({
    detail: `${path} answers to ${allow.join(", ")}, not to ${request.method}.`,
    allow
  })
}

const unreadable = (reason: HttpServerError.RequestParseError) =>
  reason.reason === "BodyTooLarge"
    ? new Problem.BodyTooLarge({ detail: "The body is larger than this server reads. Send less." })
    : new Problem.InvalidRequest({ detail: "The request's body could not be read." })

const crashed = () =>
  new Problem.InternalProblem({ detail: "Something unexpected went wrong. The server's log says more." })

/** Undefined for what is our own fault, and for an error that brings its own answer. */
const ofServerError = (error: unknown) => {
  if (!HttpServerError.isHttpServerError(error)) return undefined
  switch (error.reason._tag) {
    case "RouteNotFound":
      return unrouted(error.reason.request)
    case "RequestParseError":
      return unreadable(error.reason)
    default:
      return undefined
  }
}

const problemOf = (cause: Cause.Cause<unknown>) => {
  if (Cause.hasInterruptsOnly(cause)) {
    return new Problem.ShuttingDown({ detail: "The server is shutting down. Try again in a moment." })
  }
  return ofServerError(Cause.squash(cause)) ?? crashed()
}

const byStatus = (status: number, request: HttpServerRequest.HttpServerRequest) => {
  switch (status) {
    case 404:
    case 405:
      return unrouted(request)
    case 413:
      return new Problem.BodyTooLarge({ detail: "The body is larger than this server reads. Send less." })
    case 415:
      return new Problem.MediaTypeUnknown({ detail: "Send JSON, with `content-type: application/json`." })
    default:
      return status >= 500 ? crashed() : new Problem.InvalidRequest({ detail: "The request could not be understood." })
  }
}

type AnyProblem = ReturnType<typeof problemOf> | ReturnType<typeof byStatus>

const answer = (problem: AnyProblem): Effect.Effect<Response> => {
  const response = HttpServerRespondable.toResponse(problem)
  return problem instanceof Problem.MethodNotAllowed
    ? Effect.map(response, HttpServerResponse.setHeader("allow", problem.allow.join(", ")))
    : response
}

const recover = (cause: Cause.Cause<unknown>): Effect.Effect<Response> => {
  const problem = problemOf(cause)
  const logged = problem.status === 500 ? Effect.logError("A request crashed", cause) : Effect.void
  return Effect.andThen(logged, answer(problem))
}

/** What has a JSON body, or is upstream's own word: the gateway hands on whatever that is. */
const explains = ({ headers }: Response): boolean =>
  headers["content-type"]?.includes("json") === true || headers["x-sluice-request-id"] !== undefined

const explain = (response: Response): Effect.Effect<Response, never, HttpServerRequest.HttpServerRequest> => {
  if (response.status < 400) return Effect.succeed(response)
  if (response.status === 401)
    return Effect.succeed(HttpServerResponse.setHeader(response, "www-authenticate", "Bearer"))
  if (explains(response)) return Effect.succeed(response)
  return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answer(byStatus(response.status, request)))
}

type Handled = Effect.Effect<Response, never, HttpServerRequest.HttpServerRequest>

/** One line a request at debug level, without the query: it may hold what is nobody's business. */
const logged = (handled: Handled): Handled => {
  const told = Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const [took, response] = yield* Effect.timed(handled)
    yield* Effect.logDebug(`${method} ${pathOf(url)} ${response.status} in ${Duration.toMillis(took).toFixed(1)} ms`)
    return response
  })
  return Effect.flatMap(References.MinimumLogLevel, (level) =>
    LogLevel.isLessThanOrEqualTo(level, "Debug") ? told : handled
  )
}

/** Whatever goes wrong on whatever route, the answer is a problem body: never empty, never a stack. */
export const layer = HttpRouter.middleware(
  // The router wants to see its errors unhandled in the type, though none is left.
  (handled): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> =>
    handled.pipe(Effect.catchCause(recover), Effect.flatMap(explain), logged),
  { global: true }
)
