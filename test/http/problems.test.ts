import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { type Answer, call, json, server } from "./fakes.ts"

const isProblem = (answer: Answer, status: number, slug: string) => {
  assert.strictEqual(answer.status, status)
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  const body = json(answer)
  assert.deepInclude(body, { type: `urn:sluice:problem:${slug}`, status })
  assert.isNotEmpty(body.title)
  assert.isNotEmpty(body.detail)
}

layer(server())("problems", (it) => {
  it.effect("an unknown route is a 404 with a body", () =>
    Effect.gen(function* () {
      isProblem(yield* call("GET", "/nothing/here?secret=1"), 404, "not-found")
      assert.notInclude((yield* call("GET", "/nothing/here?secret=1")).text, "secret")
    })
  )

  it.effect("a wrong method is a 405 that names the right ones", () =>
    Effect.gen(function* () {
      for (const [path, allow] of [
        ["/api/cache/clear", "POST"],
        ["/health", "GET"],
        ["/openapi.json", "GET"],
        ["/api/conversations/c1/messages", "GET, POST"]
      ] as const) {
        const answer = yield* call("DELETE", path)
        isProblem(answer, 405, "method-not-allowed")
        assert.strictEqual(answer.headers.allow, allow)
      }
    })
  )

  it.effect("a body that is no JSON, not fitting, or of another type says so", () =>
    Effect.gen(function* () {
      const path = "/api/conversations/c1/messages"
      isProblem(yield* call("POST", path, { raw: "{" }), 400, "invalid-request")
      isProblem(yield* call("POST", path, { raw: "" }), 400, "invalid-request")
      isProblem(yield* call("POST", path, { body: { content: 3 } }), 400, "invalid-request")
      isProblem(yield* call("POST", path, { body: { content: "a", priority: "urgent" } }), 400, "invalid-request")
      const form = { headers: { "content-type": "application/x-www-form-urlencoded" }, raw: "content=a" }
      isProblem(yield* call("POST", path, form), 415, "unsupported-media-type")
    })
  )

  it.effect("every wrong field is named", () =>
    Effect.gen(function* () {
      const answer = yield* call("POST", "/api/conversations", { body: { title: 3, tenant: "" } })
      assert.includeDeepMembers(
        json(answer).errors.map((e: { path: unknown }) => e.path),
        [["body", "title"]]
      )
    })
  )

  it.effect("a body larger than 32 MiB is a 413", () =>
    Effect.gen(function* () {
      const raw = JSON.stringify({ content: "x".repeat(33 * 1024 * 1024) })
      isProblem(yield* call("POST", "/api/conversations/c1/messages", { raw }), 413, "body-too-large")
    })
  )

  it.effect("HEAD has a status and no body", () =>
    Effect.gen(function* () {
      const answer = yield* call("HEAD", "/health")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.text, "")
    })
  )
})
