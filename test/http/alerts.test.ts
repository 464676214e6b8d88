import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type Alert, Event } from "../../src/domain/Event.ts"
import { Events } from "../../src/events/Events.ts"
import { call, json, server } from "./fakes.ts"

const settings = { gatewayTokens: new Map([["acme", Redacted.make("acme-token")]]) }

const alert = (kind: Alert["kind"], subject?: string): Alert => ({
  kind,
  severity: "warning",
  message: `${kind} of ${subject ?? "everybody"}`,
  ...(subject === undefined ? {} : { subject })
})
const raised = (given: Alert) => Event.cases.AlertRaised.make({ alert: given })
const cleared = (given: Alert) => Event.cases.AlertCleared.make({ alert: given })

const publish = (...events: ReadonlyArray<Event>) =>
  Events.use(({ publish }) => Effect.forEach(events, publish, { discard: true }))

/** Asks until so many alerts are known to last: rules listen in a fiber of their own. */
const alerts = (active: number, headers: Record<string, string> = {}) =>
  Effect.repeat(Effect.map(call("GET", "/api/alerts", { headers }), json), {
    until: (body) => body.active.length === active
  })

const subjects = (entries: ReadonlyArray<{ readonly alert: Alert }>) => entries.map((entry) => entry.alert.subject)

describe("GET /api/alerts", () => {
  it.live("tells a page that comes late what lasts, and what was raised and cleared", () =>
    Effect.gen(function* () {
      const [over, lasts] = [alert("degraded", "cache"), alert("budget_paused", "daily budget")]
      yield* publish(raised(over), raised(lasts), cleared(over))
      const body = yield* alerts(1)
      assert.deepStrictEqual(body.active[0].alert, lasts)
      assert.isNumber(body.active[0].at)
      assert.deepStrictEqual(
        body.recent.map((entry: { seq: number; happened: string }) => [entry.seq, entry.happened]),
        [
          [3, "cleared"],
          [2, "raised"],
          [1, "raised"]
        ]
      )
    }).pipe(Effect.provide(server()))
  )

  it.live("is bounded: a thousand of what lasts, a hundred of what was", () =>
    Effect.gen(function* () {
      yield* publish(...Array.from({ length: 1_200 }, (_, n) => raised(alert("cost_threshold", `conversation ${n}`))))
      const body = yield* alerts(1_000)
      assert.strictEqual(body.recent.length, 100)
      assert.strictEqual(body.recent[0].seq, 1_200)
    }).pipe(Effect.provide(server()))
  )

  it.live("shows a tenant what is its own and what stops everybody, nothing of others", () =>
    Effect.gen(function* () {
      yield* publish(
        raised(alert("cost_threshold", "tenant acme")),
        raised(alert("cost_threshold", "tenant acme-2")),
        raised(alert("cost_threshold", "agent acme/planner")),
        raised(alert("cost_threshold", "agent globex/acme")),
        raised(alert("cost_threshold", "daily budget")),
        raised(alert("budget_paused", "daily budget")),
        raised(alert("budget_paused", "tenant globex")),
        raised(alert("cost_threshold")),
        raised(alert("degraded", "ledger")),
        raised(alert("queue_age"))
      )
      const headers = { "x-api-key": "acme-token" }
      const own = yield* alerts(4, headers)
      assert.sameMembers(subjects(own.active), ["tenant acme", "agent acme/planner", "daily budget", undefined])
      assert.sameMembers(subjects(own.recent), subjects(own.active))
      assert.strictEqual((yield* alerts(10)).active.length, 10)
      assert.strictEqual((yield* call("GET", "/api/alerts", { headers: { "x-api-key": "guess" } })).status, 401)
    }).pipe(Effect.provide(server({ settings })))
  )
})
