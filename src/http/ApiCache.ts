import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access, AdminOnly } from "./ApiAccess.ts"

export class ApiCache extends HttpApiGroup.make("cache")
  .add(
    HttpApiEndpoint.post("clear", "/clear", {
      success: Schema.Struct({ cleared: Schema.Natural.annotate({ description: "entries dropped" }) })
    })
  )
  .middleware(AdminOnly)
  .middleware(Access)
  .prefix("/api/cache")
  .annotate(OpenApi.Title, "Response cache") {}
