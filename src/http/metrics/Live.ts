import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AlertRules } from "../../events/AlertRules.ts"
import { Events, type Sequenced } from "../../events/Events.ts"
import { Monitor } from "../../observability/Monitor.ts"
import { Api } from "../Api.ts"
import { CurrentVisitor } from "../ApiAccess.ts"
import { Forbidden } from "../Problem.ts"
import { Feed } from "./Feed.ts"
import { sse } from "./Sse.ts"
import { concerns } from "./visible.ts"

const mostRecent = 100

/** The newest first. */
const alertsAmong = (kept: ReadonlyArray<Sequenced>, tenant: string | null) =>
  kept
    .flatMap(({ at, event, seq }) => {
      if (event._tag !== "AlertRaised" && event._tag !== "AlertCleared") return []
      if (!concerns(event.alert, tenant)) return []
      return [{ seq, at, happened: event._tag === "AlertRaised" ? "raised" : "cleared", alert: event.alert } as const]
    })
    .slice(-mostRecent)
    .reverse()

const notForTenants = new Forbidden({
  detail: "These figures tell of all tenants; send ADMIN_TOKEN instead of a tenant's token."
})

export const layer = HttpApiBuilder.group(
  Api,
  "live",
  Effect.fn(function* (handlers) {
    const [feed, monitor, rules, events] = yield* Effect.all([Feed, Monitor, AlertRules, Events])
    return handlers.handleAll({
      prometheus: () =>
        Effect.flatMap(CurrentVisitor, ({ tenant }) =>
          tenant === null ? monitor.exposition : Effect.fail(notForTenants)
        ),
      alerts: () =>
        Effect.map(Effect.all([rules.active, events.recent, CurrentVisitor]), ([active, kept, { tenant }]) => ({
          active: active.filter(({ alert }) => concerns(alert, tenant)),
          recent: alertsAmong(kept, tenant)
        })),
      events: ({ query }) => Effect.flatMap(CurrentVisitor, (visitor) => sse(feed, visitor, query.since))
    })
  })
)
