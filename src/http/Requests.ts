import { Effect, SchemaIssue } from "effect"
import { type HttpApiError, HttpApiMiddleware } from "effect/http-api"
import { InternalProblem, InvalidRequest } from "./Problem.ts"

/** Answers a request that does not fit its schema with a problem that names each field and what is wrong with it. */
export class Requests extends HttpApiMiddleware.Service<Requests>()("sluice/http/Requests", {
  error: [InvalidRequest, InternalProblem]
}) {
  static readonly layer = HttpApiMiddleware.layerSchemaErrorTransform(Requests, (error) =>
    error.kind === "Body" || error.kind === "ResponseHeaders"
      ? Effect.andThen(
          Effect.logError(`An answer did not fit its schema: ${error.cause.message}`),
          new InternalProblem({ detail: "The server made an answer that it does not allow itself. Its log says more." })
        )
      : Effect.fail(invalid(error))
  )
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const segment = (part: PropertyKey | { readonly key: PropertyKey }): string | number => {
  const key = typeof part === "object" ? part.key : part
  return typeof key === "number" ? key : String(key)
}

const invalid = (error: HttpApiError.HttpApiSchemaError): InvalidRequest => {
  const slot = error.kind === "Payload" ? "body" : error.kind.toLowerCase()
  const errors = format(error.cause.issue).issues.map(({ message, path }) => ({
    path: [slot, ...(path ?? []).map(segment)],
    message
  }))
  const detail = errors.map(({ message, path }) => `${path.join(".")}: ${message}`).join("; ")
  return new InvalidRequest({ detail: detail || "The request does not fit its schema.", errors })
}
