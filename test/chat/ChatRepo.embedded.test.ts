import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { ChatRepo, type ChatRepoError, type ConversationNotFound } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { transcript, transcripts } from "../support/transcripts.ts"
import { modelSuite } from "./model.ts"
import { plansSuite } from "./plans.ts"
import { chatRepoSuite } from "./suite.ts"

const repo = Layer.provideMerge(ChatRepo.layerNoDeps, Database.layerMemory)

layer(repo, { timeout: "60 seconds" })("ChatRepo on PGlite", (it) => {
  chatRepoSuite(it)
  modelSuite(it, 60)
  plansSuite(it)

  it.effect("never reads what is stored as something else when it was spoiled", () =>
    Effect.gen(function* () {
      const { append, create, get, history, messages } = yield* ChatRepo
      const sql = yield* SqlClient.SqlClient
      const { id } = yield* create({})
      yield* append(id, [{ role: "user", content: "fine", tokens: 1 }])
      for (const change of [sql`content = '"cut sho'`, sql`content = '[{"no":"type"}]'`, sql`role = 'ghost'`]) {
        yield* sql
          .withTransaction(
            Effect.gen(function* () {
              yield* sql`UPDATE messages SET ${change} WHERE conversation = (SELECT key FROM conversations WHERE id = ${id})`
              const reads: ReadonlyArray<Effect.Effect<unknown, ChatRepoError | ConversationNotFound>> = [
                messages(id, { limit: 1 }),
                history(id, { maxTokens: 9, limit: 1 })
              ]
              for (const read of reads) {
                const error = yield* Effect.flip(read)
                assert.strictEqual(error._tag === "ChatRepoError" && error.kind, "corrupt")
              }
              return yield* Effect.fail("undo")
            })
          )
          .pipe(Effect.flip)
      }
      yield* sql`UPDATE conversations SET messages = -1 WHERE id = ${id}`
      const error = yield* Effect.flip(get(id))
      assert.strictEqual(error._tag === "ChatRepoError" && error.kind, "corrupt")
    })
  )

  it.effect.skipIf(transcripts().length === 0)("holds real conversations byte for byte", () =>
    Effect.gen(function* () {
      const { append, create, messages } = yield* ChatRepo
      for (const name of transcripts()) {
        const given = transcript(name)
        const { id } = yield* create({ title: name })
        yield* append(
          id,
          given.map(({ content, role }) => ({ role, content, tokens: 7 }))
        )
        const stored = yield* messages(id, { limit: 10_000 })
        assert.strictEqual(stored.length, given.length)
        for (const [i, message] of stored.entries()) {
          assert.isTrue(JSON.stringify(message.content) === JSON.stringify(given[i]?.content), `${name} ${i}`)
        }
      }
    })
  )
})
