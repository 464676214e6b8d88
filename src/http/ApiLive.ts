import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Alert, Event } from "../domain/Event.ts"
import { Access } from "./ApiAccess.ts"
import { Epoch } from "./ApiSchemas.ts"
import { Forbidden } from "./Problem.ts"

/** What the live feed says, on `/ws` as text frames and on `/api/events` as the data of server-sent events. */
export const LiveMessage = Schema.Union([
  Schema.Struct({ seq: Schema.Natural, at: Epoch, event: Event }).annotate({ identifier: "LiveEvent" }),
  Schema.Struct({ type: Schema.Literal("heartbeat"), seq: Schema.Natural }).annotate({ identifier: "Heartbeat" }),
  Schema.Struct({ type: Schema.Literal("gap") }).annotate({
    identifier: "Gap",
    description: "events were lost between the one before and the one after"
  })
]).annotate({ identifier: "LiveMessage" })
export type LiveMessage = typeof LiveMessage.Type

const RecentAlert = Schema.Struct({
  seq: Schema.Natural.annotate({ description: "the event's number, as in the live feed" }),
  at: Epoch,
  happened: Schema.Literals(["raised", "cleared"]),
  alert: Alert
}).annotate({ identifier: "RecentAlert" })

export const Alerts = Schema.Struct({
  active: Schema.Array(Schema.Struct({ at: Epoch, alert: Alert })).annotate({
    description: "alerts that last, and since when; 1,000 at most"
  }),
  recent: Schema.Array(RecentAlert).annotate({
    description: "what was raised and cleared among the events that are kept, the newest first; 100 at most"
  })
}).annotate({ identifier: "Alerts" })

export class ApiLive extends HttpApiGroup.make("live", { topLevel: true })
  .add(
    HttpApiEndpoint.get("prometheus", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
      error: Forbidden
    }).annotate(OpenApi.Description, "Prometheus' text format. A tenant's token does not open it."),
    HttpApiEndpoint.get("alerts", "/api/alerts", { success: Alerts }).annotate(
      OpenApi.Description,
      "What an operator should know of now, and what was a moment ago. A tenant's token sees what concerns that tenant."
    ),
    HttpApiEndpoint.get("events", "/api/events", {
      query: {
        since: Schema.optionalKey(Schema.Natural.check(Schema.isLessThanOrEqualTo(Number.MAX_SAFE_INTEGER))).annotate({
          description: "replays what is still kept after this number first"
        })
      },
      success: HttpApiSchema.StreamSse({
        events: Schema.Struct({
          id: Schema.optionalKey(Schema.String),
          event: Schema.Literal("message"),
          data: Schema.fromJsonString(LiveMessage)
        })
      })
    }).annotate(
      OpenApi.Description,
      "Everything that happens, as server-sent events; a heartbeat every 15 seconds. The same messages come as text frames by WebSocket at /ws."
    )
  )
  .middleware(Access)
  .annotate(OpenApi.Title, "Live") {}
