import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { describePostgres, TestPostgres } from "../support/postgres.ts"
import { modelSuite } from "./model.ts"
import { plansSuite } from "./plans.ts"
import { chatRepoSuite } from "./suite.ts"

const database = Layer.unwrap(TestPostgres.useSync(({ url }) => Database.layerPostgres(url)))
const repo = ChatRepo.layerNoDeps.pipe(Layer.provideMerge(database), Layer.provide(TestPostgres.layer))

/** Ends its own connection when a message says so. */
const deadlyTrigger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF new.content = ''"die"'' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN new; END'`
  yield* sql`CREATE TRIGGER deadly BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION die()`
})

describePostgres("with a server", () => {
  layer(repo, { timeout: "60 seconds" })("ChatRepo on Postgres", (it) => {
    chatRepoSuite(it)
    modelSuite(it, 100)
    plansSuite(it)

    it.effect(
      "fails with what is known when the connection ends, also inside a transaction, and nothing is half stored",
      () =>
        Effect.gen(function* () {
          yield* deadlyTrigger
          const { append, create, messages } = yield* ChatRepo
          const { id } = yield* create({})
          const message = (content: string) => ({ role: "user" as const, content, tokens: 1 })
          yield* append(id, [message("before")])
          const many = Array.from({ length: 1_200 }, (_, i) => message(i === 1_100 ? "die" : "x"))
          for (const batch of [[message("die")], many]) {
            const error = yield* Effect.flip(append(id, batch))
            assert.strictEqual(error._tag, "ChatRepoError")
            assert.isFalse(error._tag === "ChatRepoError" && error.retryable)
            assert.include(error.message, "whether they were stored")
          }
          const [added] = yield* append(id, [message("after")])
          assert.strictEqual(added?.seq, 1)
          assert.deepStrictEqual(
            (yield* messages(id, { limit: 10 })).map((m) => m.content),
            ["before", "after"]
          )
        })
    )
  })
})
