import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access, AdminOnly } from "./ApiAccess.ts"

export class ApiCosts extends HttpApiGroup.make("costs")
  .add(
    HttpApiEndpoint.post("resume", "/resume", {
      success: Schema.Struct({ paused: Schema.Boolean.annotate({ description: "whether spending is still paused" }) })
    }).annotate(
      OpenApi.Description,
      "Ends a pause, and grants every budget that is used up its limit once more until the day ends."
    )
  )
  .middleware(AdminOnly)
  .middleware(Access)
  .prefix("/api/costs")
  .annotate(OpenApi.Title, "Costs") {}
