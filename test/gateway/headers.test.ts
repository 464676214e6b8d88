import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { Tokens } from "../../src/access/Tokens.ts"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import { Events } from "../../src/events/Events.ts"
import { Settings } from "../../src/Settings.ts"
import { answering, body, frames, model, post, type Reply, tapped, Wiretap, world } from "./world.ts"

/** What the books say of a request that is sent now. */
const booked = (headers: Record<string, string>) =>
  Effect.gen(function* () {
    const events = yield* Events
    const answer = yield* post(body(), headers)
    const id = answer.headers.get("x-sluice-request-id")
    const found = (yield* events.recent).filter(({ event }) => event._tag === "Usage" && event.requestId === id)
    return found[0]?.event
  })

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped())("what a request says about itself", (it) => {
    it.effect("by x-sluice headers", () =>
      Effect.gen(function* () {
        const event = yield* booked({ "x-sluice-agent": "planner", "x-sluice-conversation": "c7" })
        assert.deepInclude(event, { tenant: "default", agent: "planner", conversation: "c7", cache: "miss" })
      })
    )

    it.effect("by Claude Code's own ids, unless it says otherwise", () =>
      Effect.gen(function* () {
        const ids = { "x-claude-code-session-id": "session", "x-claude-code-agent-id": "agent" }
        assert.deepInclude(yield* booked(ids), { agent: "agent", conversation: "session" })
        assert.deepInclude(yield* booked({ ...ids, "x-sluice-agent": "named" }), {
          agent: "named",
          conversation: "session"
        })
        assert.deepInclude(yield* booked({}), { agent: "orchestrator", conversation: null })
      })
    )

    it.effect("that is none of the allowed words is refused, and says which ones are", () =>
      Effect.gen(function* () {
        const names = ["priority", "task", "cache", "context", "allow-cheaper", "allow-fallback"]
        for (const name of names.map((last) => `x-sluice-${last}`)) {
          const answer = yield* post(body(), { [name]: "nonsense" })
          assert.strictEqual(answer.status, 400)
          assert.strictEqual(answer.json.error.type, "invalid_request_error")
          assert.include(answer.json.error.message, name)
        }
      })
    )

    it.effect("about the cache is obeyed", () =>
      Effect.gen(function* () {
        const asked = body()
        const outcome = (headers: Record<string, string>) =>
          Effect.map(post(asked, headers), (answer) => answer.headers.get("x-sluice-cache"))
        assert.strictEqual(yield* outcome({ "x-sluice-cache": "off" }), "bypass")
        assert.strictEqual(yield* outcome({}), "miss")
        assert.strictEqual(yield* outcome({}), "hit")
        assert.strictEqual(yield* outcome({ "cache-control": "no-store" }), "bypass")
        assert.strictEqual(yield* outcome({ "cache-control": "no-cache" }), "miss")
        assert.strictEqual(yield* outcome({ "x-sluice-cache": "refresh" }), "miss")
        assert.strictEqual(yield* outcome({ "x-sluice-cache": "on", "cache-control": "no-store" }), "hit")
        const thread = body({ thread: {} })
        assert.strictEqual((yield* post(thread)).headers.get("x-sluice-cache"), "bypass")
      })
    )
  })

  it.layer(tapped())("what an answer says about itself", (it) => {
    it.effect("is its cost, its wait, its model, its cache outcome", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        const costs = yield* CostTracker
        tap.reply.current = answering({ usage: { input_tokens: 1000, output_tokens: 100 } })
        const before = (yield* costs.state).total.costNanoUsd
        const { headers } = yield* post(body())
        const cost = (yield* costs.state).total.costNanoUsd - before
        assert.strictEqual(headers.get("x-sluice-cost-nano-usd"), String(cost))
        assert.strictEqual(cost, 1000 * 2_000 + 100 * 10_000)
        assert.strictEqual(headers.get("x-sluice-model"), model)
        assert.match(headers.get("x-sluice-queue-ms") ?? "", /^\d+$/)
        assert.strictEqual(headers.get("x-sluice-saved-tokens"), "0")
        assert.match(headers.get("x-sluice-request-id") ?? "", /^req_/)
      })
    )

    it.effect("for a hit is what it saved, streamed or not", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = answering({ usage: { input_tokens: 1000, output_tokens: 100 } })
        const asked = body()
        yield* post(asked)
        for (const stream of [false, true]) {
          const { headers } = yield* post({ ...asked, stream })
          assert.strictEqual(headers.get("x-sluice-cache"), "hit")
          assert.strictEqual(headers.get("x-sluice-saved-tokens"), "1100")
          assert.strictEqual(headers.get("x-sluice-cost-nano-usd"), "0")
        }
      })
    )

    it.effect("for a stream does not know the cost yet", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = (response) =>
          response.writeHead(200, { "content-type": "text/event-stream" }).end(frames.join(""))
        const { headers } = yield* post(body({ stream: true }))
        assert.strictEqual(headers.get("x-sluice-cache"), "miss")
        assert.isNull(headers.get("x-sluice-cost-nano-usd"))
        assert.match(headers.get("x-sluice-queue-ms") ?? "", /^\d+$/)
      })
    )
  })

  it.layer(tapped({ settings: { modelRouting: true } }))("another model", (it) => {
    const asksSonnet = (seen: Buffer) => seen.includes("claude-sonnet-5-5")
    const noRoomOnSonnet: Reply = (response, seen) => {
      if (!asksSonnet(seen.body)) return answering({ model: "claude-haiku-5-5" })(response, seen)
      const error = { type: "overloaded_error", message: "Overloaded" }
      response.writeHead(529, { "content-type": "application/json" }).end(JSON.stringify({ type: "error", error }))
    }

    it.effect("answers when upstream has no room, only where the request allows it", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = noRoomOnSonnet
        for (const headers of [{}, { "x-sluice-allow-fallback": "off" }, { "x-sluice-allow-cheaper": "on" }]) {
          assert.strictEqual((yield* post(body(), headers)).status, 529)
        }
        const answer = yield* post(body(), { "x-sluice-allow-fallback": "On" })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers.get("x-sluice-model"), "claude-haiku-5-5")
        assert.isFalse(
          tap.seen.some(({ headers }) => "x-sluice-allow-fallback" in headers),
          "it stays here"
        )
      })
    )
  })

  it.layer(tapped({ settings: { modelRouting: true, costDailyBudgetUsd: Option.some(1) } }))(
    "a budget that runs out",
    (it) => {
      it.effect("is stretched by a cheaper model, only where the request allows it", () =>
        Effect.gen(function* () {
          const tap = yield* Wiretap
          // At 10,000 nano-dollars each, 85 % of the budget.
          tap.reply.current = answering({ usage: { input_tokens: 0, output_tokens: 85_000 } })
          const small = () => body({ max_tokens: 10 })
          assert.strictEqual((yield* post(small())).headers.get("x-sluice-model"), model)
          tap.reply.current = answering({ usage: { input_tokens: 0, output_tokens: 0 } })
          assert.strictEqual((yield* post(small())).headers.get("x-sluice-model"), model)
          const cheaper = yield* post(small(), { "x-sluice-allow-cheaper": "on" })
          assert.strictEqual(cheaper.headers.get("x-sluice-model"), "claude-haiku-5-5")
        })
      )
    }
  )

  const strict = {
    rateLimitTokensPerMinute: 2_000,
    costDailyBudgetUsd: Option.some(0.000_001)
  }

  it.layer(world({ settings: strict }))("limits", (it) => {
    it.effect("speak the Messages API's language", () =>
      Effect.gen(function* () {
        const large = yield* post(body({ messages: [{ role: "user", content: "word ".repeat(10_000) }] }))
        assert.strictEqual(large.status, 402)
        const poor = yield* post(body())
        assert.strictEqual(poor.status, 402)
        assert.strictEqual(poor.json.error.type, "billing_error")
        assert.strictEqual(poor.headers.get("x-should-retry"), "false")
        const streamed = yield* post(body({ stream: true }))
        assert.strictEqual(streamed.status, 402)
      })
    )
  })

  it.layer(world({ settings: { rateLimitTokensPerMinute: 300 } }))("a limit", (it) => {
    it.effect("that a request can never keep is a 413; one that it can only keep later, a 429 in time", () =>
      Effect.gen(function* () {
        const large = yield* post(body({ messages: [{ role: "user", content: "word ".repeat(10_000) }] }))
        assert.strictEqual(large.status, 413)
        assert.strictEqual(large.json.error.type, "request_too_large")
        const text = "word ".repeat(150)
        const filling = () => post(body({ messages: [{ role: "user", content: `${text} ${Math.random()}` }] }))
        assert.strictEqual((yield* filling()).status, 200)
        const late = yield* post(body({ messages: [{ role: "user", content: `${text} again` }] }), {
          "x-stainless-timeout": "1"
        })
        assert.strictEqual(late.status, 429)
        assert.strictEqual(late.json.error.type, "rate_limit_error")
        assert.isAtLeast(Number(late.headers.get("retry-after")), 1)
        assert.isAtMost(Number(late.headers.get("retry-after")), 60)
        assert.isNull(late.headers.get("x-should-retry"))
      })
    )
  })
})

/** The callers that reach the governor, by their priority. */
const priorities = (granted: "interactive" | "normal" | "background" | undefined, asked: string | undefined) =>
  Effect.gen(function* () {
    const { readAsked } = yield* Effect.promise(() => import("../../src/http/gateway/Asked.ts"))
    const tokens = yield* Tokens
    const settings = yield* Settings
    const name = `t-${granted}-${asked}`
    const { grant } = yield* tokens.add({
      name,
      agent: "worker",
      ...(granted === undefined ? {} : { priority: granted })
    })
    const credentials = { grant, apiKey: undefined, scheme: "bearer" as const, owner: "server" }
    const read = readAsked(asked === undefined ? {} : { "x-sluice-priority": asked }, credentials, settings)
    return "caller" in read ? read.caller : undefined
  })

layer(
  Tokens.layerMemory.pipe(
    Layer.provideMerge(Settings.layerWith({ gatewayTokens: new Map([["x", Redacted.make("y")]]) }))
  )
)("a token's priority", (it) => {
  it.effect("is the default, and the most that its holder may claim", () =>
    Effect.gen(function* () {
      const cases = [
        ["normal", undefined, "normal"],
        ["normal", "interactive", "normal"],
        ["normal", "background", "background"],
        ["background", "interactive", "background"],
        ["interactive", undefined, "interactive"],
        [undefined, undefined, "normal"],
        [undefined, "interactive", "interactive"]
      ] as const
      for (const [granted, asked, expected] of cases) {
        const caller: Caller | undefined = yield* priorities(granted, asked)
        assert.deepInclude(caller, { priority: expected, agent: "worker" })
      }
    })
  )
})
