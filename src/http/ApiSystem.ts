import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Millis } from "./ApiSchemas.ts"

const Check = Schema.Struct({
  status: Schema.Literals(["ok", "failed", "off"]),
  detail: Schema.String
}).annotate({ identifier: "Check" })

const fields = {
  version: Schema.String,
  uptimeSeconds: Schema.Finite.annotate({ description: "seconds since the start" }),
  checks: Schema.Struct({ database: Check, redis: Check, upstream: Check }),
  rateLimiter: Schema.Struct({
    enabled: Schema.Boolean,
    used: Schema.Finite.annotate({ description: "input tokens admitted in the last 60 seconds" }),
    limit: Schema.Finite.annotate({ description: "RATE_LIMIT_TOKENS_PER_MINUTE" }),
    percent: Schema.Finite.annotate({ description: "`used` in percent of `limit`" }),
    resets: Millis,
    inFlight: Schema.Natural.annotate({ description: "requests upstream now" }),
    queued: Schema.Natural.annotate({ description: "requests that wait for admission" })
  })
}

export const Healthy = Schema.Struct({ status: Schema.Literal("ok"), ...fields }).annotate({ identifier: "Healthy" })

export const Unhealthy = Schema.Struct({ status: Schema.Literal("failed"), ...fields })
  .annotate({ identifier: "Unhealthy" })
  .pipe(HttpApiSchema.status(503))

export class ApiSystem extends HttpApiGroup.make("system", { topLevel: true })
  .add(
    HttpApiEndpoint.get("health", "/health", { success: [Healthy, Unhealthy] }).annotate(
      OpenApi.Description,
      "Open to everyone. 503 when the database does not answer; an upstream that fails shows in its check only."
    )
  )
  .annotate(OpenApi.Title, "System") {}
