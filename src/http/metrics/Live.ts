import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Monitor } from "../../observability/Monitor.ts"
import { Api } from "../Api.ts"
import { CurrentVisitor } from "../ApiAccess.ts"
import { Forbidden } from "../Problem.ts"
import { Feed } from "./Feed.ts"
import { sse } from "./Sse.ts"

const notForTenants = new Forbidden({
  detail: "These figures tell of all tenants; send ADMIN_TOKEN instead of a tenant's token."
})

export const layer = HttpApiBuilder.group(
  Api,
  "live",
  Effect.fn(function* (handlers) {
    const [feed, monitor] = yield* Effect.all([Feed, Monitor])
    return handlers.handleAll({
      prometheus: () =>
        Effect.flatMap(CurrentVisitor, ({ tenant }) =>
          tenant === null ? monitor.exposition : Effect.fail(notForTenants)
        ),
      events: ({ query }) => Effect.flatMap(CurrentVisitor, (visitor) => sse(feed, visitor, query.since))
    })
  })
)
