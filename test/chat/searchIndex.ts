import { assert, type Vitest } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { Settings } from "../../src/Settings.ts"
import { said } from "./searchSuite.ts"

const many = (count: number) => Array.from({ length: count }, (_, i) => said("user", `word${i} of many`))
const anything = { words: "many", limit: 3, chars: 50 }

const indexed = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly messages: number }>`SELECT count(w.seq)::int AS messages
    FROM conversations c LEFT JOIN message_words w ON w.conversation = c.key WHERE c.id = ${id}`
  return rows[0]?.messages ?? 0
})

/** Lets the background work until so many messages are indexed; the database takes real time. */
const until = Effect.fnUntraced(function* (id: string, messages: number) {
  for (let tries = 0; tries < 1_000 && (yield* indexed(id)) < messages; tries++) {
    yield* TestClock.adjust("1 second")
    yield* TestClock.withLive(Effect.sleep("5 millis"))
  }
  return yield* indexed(id)
})

/** How the index comes about. */
export const searchIndexSuite = (it: Vitest.MethodsNonLive<ChatRepo | MessageSearch | SqlClient.SqlClient>): void => {
  it.effect("is made in the background, after messages are appended", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { id } = yield* repo.create({})
      yield* repo.append(id, many(100))
      assert.strictEqual(yield* indexed(id), 0)
      assert.strictEqual(yield* until(id, 100), 100)
      yield* repo.append(id, many(3))
      assert.strictEqual(yield* until(id, 103), 103)
    })
  )

  it.effect("does not keep a search waiting for long: it says what it left out", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { search } = yield* MessageSearch
      const { id } = yield* repo.create({})
      yield* repo.append(id, many(3_000))
      const first = yield* Effect.forkChild(search(id, anything), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      const { unsearched } = yield* Fiber.join(first)
      assert.isAbove(unsearched, 0)
      assert.strictEqual(yield* until(id, 3_000), 3_000)
      const { found, unsearched: left } = yield* search(id, anything)
      assert.strictEqual(left, 0)
      assert.deepStrictEqual(
        found.map(({ seq }) => seq),
        [2_999, 2_998, 2_997]
      )
    })
  )

  it.effect("holds every message once, whoever indexes at the same time", () =>
    Effect.gen(function* () {
      const repo = yield* ChatRepo
      const { search } = yield* MessageSearch
      const { id } = yield* repo.create({})
      const grow = Effect.forEach([1, 40, 7], (count) => repo.append(id, many(count)), { discard: true })
      const other = Layer.fresh(MessageSearch.layer).pipe(Layer.provide(Settings.layerWith({})))
      const look = MessageSearch.use((service) => service.search(id, anything)).pipe(Effect.provide(other))
      yield* Effect.all([grow, search(id, anything), grow, search(id, anything), look, grow], { concurrency: 6 })
      assert.strictEqual((yield* search(id, anything)).unsearched, 0)
      assert.strictEqual(yield* indexed(id), 144)
    })
  )
}
