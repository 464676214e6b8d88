import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpApiClient } from "effect/http-api"
import { Api } from "../../src/http/Api.ts"
import { CacheMetrics, CostMetrics, SeriesMetrics, TokenMetrics } from "../../src/http/ApiMetrics.ts"
import { server } from "../http/fakes.ts"

const client = HttpApiClient.make(Api)

/** What the typed client decodes is what the declarations promise, field by field. */
layer(server())("the generated client", (it) => {
  it.effect("reads every metrics route", () =>
    Effect.gen(function* () {
      const { metrics } = yield* client
      assert.isTrue(Schema.is(TokenMetrics)(yield* metrics.tokens()))
      assert.isTrue(Schema.is(CacheMetrics)(yield* metrics.cache()))
      assert.isTrue(Schema.is(CostMetrics)(yield* metrics.costs({ query: { from: "2026-11-01", to: "2026-11-20" } })))
      assert.isTrue(Schema.is(SeriesMetrics)(yield* metrics.series()))
    })
  )

  it.effect("reads health, and Prometheus' text as text", () =>
    Effect.gen(function* () {
      const api = yield* client
      assert.strictEqual((yield* api.health()).status, "ok")
      assert.include(yield* api.prometheus(), "# TYPE sluice_cache_entries gauge")
    })
  )

  it.effect("gets problems as typed errors", () =>
    Effect.gen(function* () {
      const { conversations } = yield* client
      const problem = yield* Effect.flip(conversations.messages({ params: { id: "nobody" }, query: {} }))
      assert.strictEqual(problem._tag, "ConversationUnknown")
    })
  )
})
