import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, json, server } from "./fakes.ts"

layer(server())("docs", (it) => {
  it.effect("the OpenAPI document names every route, its problems and its tokens", () =>
    Effect.gen(function* () {
      const document = json(yield* call("GET", "/openapi.json"))
      assert.match(document.openapi, /^3\./)
      assert.includeMembers(Object.keys(document.paths), [
        "/health",
        "/api/metrics/tokens",
        "/api/metrics/cache",
        "/api/metrics/costs",
        "/api/cache/clear",
        "/api/conversations",
        "/api/conversations/{id}/messages",
        "/api/conversations/{id}/context"
      ])
      assert.containsAllKeys(document.paths["/api/conversations/{id}/messages"].post.responses, ["200", "402", "429"])
      for (const { name, schema } of document.paths["/api/metrics/costs"].get.parameters) {
        assert.include(schema.description, "YYYY-MM-DD", name)
      }
      assert.containsAllKeys(document.components.securitySchemes, ["bearer", "apiKey"])
    })
  )

  it.effect("the documentation page needs nothing from another host", () =>
    Effect.gen(function* () {
      const page = yield* call("GET", "/docs", { headers: { "accept-encoding": "gzip" } })
      assert.strictEqual(page.status, 200)
      assert.strictEqual(page.headers["content-encoding"], "gzip")
      assert.notMatch(page.text, /<(?:script|link|img)[^>]+(?:src|href)=/)
      assert.include(page.text, '"withDefaultFonts":false')
    })
  )
})
