import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { DatabaseUnavailable } from "../../src/chat/Database.ts"
import { call, database, json, server } from "./fakes.ts"

const down = new DatabaseUnavailable({ database: "db at 10.0.0.1", reason: "password x", advice: "Try again" })

describe("health", () => {
  it.effect("is 503 and names the database when it answers with an error, without telling more", () =>
    Effect.gen(function* () {
      const answer = yield* call("GET", "/health")
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(json(answer).status, "failed")
      assert.deepStrictEqual(json(answer).checks.database, {
        status: "failed",
        detail: "embedded: answers with an error"
      })
      assert.notInclude(answer.text, "10.0.0.1")
      assert.notInclude(answer.text, "/secret/place")
    }).pipe(Effect.provide(server({ database: database(Effect.fail(down)) })))
  )

  it.effect("names the models that upstream fails for, and stays 200: another start would not help", () =>
    Effect.gen(function* () {
      const answer = yield* call("GET", "/health")
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(json(answer).checks.upstream, {
        status: "failed",
        detail: "simulator: fails for opus, haiku"
      })
    }).pipe(Effect.provide(server({ failing: ["opus", "haiku"] })))
  )

  it.effect("is 503 when the database does not answer in two seconds", () =>
    Effect.gen(function* () {
      const asked = yield* Effect.forkChild(call("GET", "/health"))
      const tick = Effect.andThen(
        TestClock.adjust("1 second"),
        Effect.promise(() => new Promise(setImmediate))
      )
      yield* Effect.repeat(tick, { until: () => asked.pollUnsafe() !== undefined })
      assert.strictEqual((yield* Fiber.join(asked)).status, 503)
    }).pipe(Effect.provide(server({ database: database(Effect.never) })))
  )
})
