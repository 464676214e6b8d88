import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { isMessagesRequest } from "../domain/MessagesRequest.ts"
import { Access, AdminOnly } from "./ApiAccess.ts"

const Request = Schema.Record(Schema.String, Schema.Unknown)
  .check(
    Schema.makeFilter<Readonly<Record<string, unknown>>>((body) => isMessagesRequest(body), {
      expected: "a Messages API body with `model`, `max_tokens` and `messages`"
    })
  )
  .annotate({ description: "a body of `POST /v1/messages`" })

/** A request whose answer shall be there, and who will ask it. */
export const Wish = Schema.Struct({
  request: Request,
  tenant: Schema.optionalKey(Schema.NonEmptyString),
  betas: Schema.optionalKey(Schema.String).annotate({ description: "the `anthropic-beta` of who will ask" }),
  asker: Schema.optionalKey(Schema.Literals(["gateway", "process"])).annotate({
    description: "who will ask: clients of the gateway that send no key of their own (the default), or this process"
  })
}).annotate({ identifier: "CacheWish" })
export type Wish = typeof Wish.Type

const Warming = Schema.Struct({ requests: Schema.Array(Wish).check(Schema.isMaxLength(100)) }).annotate({
  identifier: "Warming"
})

export const Warmed = Schema.Struct({
  known: Schema.Natural.annotate({ description: "in the cache already" }),
  asked: Schema.Natural.annotate({ description: "answered by upstream, and paid" }),
  failed: Schema.Array(Schema.Struct({ index: Schema.Natural, detail: Schema.String }))
}).annotate({ identifier: "Warmed" })

export class ApiCache extends HttpApiGroup.make("cache")
  .add(
    HttpApiEndpoint.post("clear", "/clear", {
      success: Schema.Struct({ cleared: Schema.Natural.annotate({ description: "entries dropped" }) })
    }),
    HttpApiEndpoint.post("warm", "/warm", { payload: Warming, success: Warmed }).annotate(
      OpenApi.Description,
      "Asks what is not cached yet, in the background's place of the queue and within the budgets. 100 requests at most."
    )
  )
  .middleware(AdminOnly)
  .middleware(Access)
  .prefix("/api/cache")
  .annotate(OpenApi.Title, "Response cache") {}
