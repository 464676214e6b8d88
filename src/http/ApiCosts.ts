import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access, AdminOnly } from "./ApiAccess.ts"
import { days, inOrder } from "./ApiDays.ts"
import { Totals, TotalsOf } from "./ApiSchemas.ts"
import { Forbidden, StorageUnavailable } from "./Problem.ts"

const Line = Schema.Struct({
  day: Schema.String,
  model: Schema.String,
  tenant: Schema.String,
  agent: Schema.String,
  conversation: Schema.NullOr(Schema.String),
  ...Totals.fields
}).annotate({ identifier: "CostLine" })

export const DailyCosts = Schema.Struct({
  from: Schema.String,
  to: Schema.String,
  total: Totals,
  days: Schema.Array(TotalsOf).annotate({ description: "one for each day that had requests, in order" }),
  lines: Schema.optionalKey(Schema.Array(Line)).annotate({
    description: "with `by=line`: day, model, tenant, agent and conversation together; 10,000 at most"
  })
}).annotate({ identifier: "DailyCosts" })

export const Csv = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv; charset=utf-8" }))

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
  .add(
    HttpApiEndpoint.get("daily", "/daily", {
      query: Schema.Struct({
        ...days,
        by: Schema.optionalKey(Schema.Literals(["day", "line"])),
        format: Schema.optionalKey(Schema.Literals(["json", "csv"]))
      }).check(inOrder),
      success: [DailyCosts, Csv],
      error: [Forbidden, StorageUnavailable]
    }).annotate(
      OpenApi.Description,
      "One row a day, today by default; `by=line` splits each by model, tenant, agent and conversation. CSV with `format=csv` or `Accept: text/csv`. A tenant's token does not open it."
    )
  )
  .middleware(Access)
  .prefix("/api/costs")
  .annotate(OpenApi.Title, "Costs") {}
