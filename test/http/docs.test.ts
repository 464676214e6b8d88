import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, json, type Loose, server } from "./fakes.ts"

const parts = (node: Loose): ReadonlyArray<Loose> => [
  ...(node.anyOf ?? []),
  ...(node.oneOf ?? []),
  ...(node.allOf ?? [])
]

/** Numbers below a schema that say neither what they count nor in which unit, by their paths. */
const undescribed = (schemas: Loose, node: Loose, path: string): ReadonlyArray<string> => {
  if (node.description !== undefined && node.properties === undefined) return []
  if (node.$ref !== undefined) return undescribed(schemas, schemas[node.$ref.split("/").at(-1)], path)
  if (node.type === "number" || node.type === "integer") return [path]
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([name, of]) => undescribed(schemas, of, `${path}.${name}`)),
    ...(node.items === undefined ? [] : undescribed(schemas, node.items, `${path}[]`)),
    ...parts(node).flatMap((part) => undescribed(schemas, part, path))
  ]
}

layer(server())("docs", (it) => {
  it.effect("every number that metrics answer with is described", () =>
    Effect.gen(function* () {
      const { components, paths } = json(yield* call("GET", "/openapi.json"))
      const routes = [
        "/health",
        "/api/metrics/tokens",
        "/api/metrics/cache",
        "/api/metrics/costs",
        "/api/metrics/series"
      ]
      for (const route of [...routes, "/api/alerts"]) {
        const { schema } = paths[route].get.responses["200"].content["application/json"]
        assert.deepStrictEqual(undescribed(components.schemas, schema, route), [])
      }
    })
  )

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
