import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Millis } from "./ApiSchemas.ts"

const Check = Schema.Struct({
  status: Schema.Literals(["ok", "failed", "off"]),
  detail: Schema.String
}).annotate({ identifier: "Check" })

const fields = {
  version: Schema.String,
  uptimeSeconds: Schema.Finite,
  checks: Schema.Struct({ database: Check, redis: Check, upstream: Check }),
  rateLimiter: Schema.Struct({
    enabled: Schema.Boolean,
    used: Schema.Finite,
    limit: Schema.Finite,
    percent: Schema.Finite,
    resets: Millis,
    inFlight: Schema.Natural,
    queued: Schema.Natural
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
      "Open to everyone. 503 when the database does not answer."
    )
  )
  .annotate(OpenApi.Title, "System") {}
