import { assert, describe, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import * as Conversations from "../../src/chat/sql/Conversations.ts"
import * as Derived from "../../src/chat/sql/Derived.ts"
import * as Messages from "../../src/chat/sql/Messages.ts"

type Sql = SqlClient.SqlClient

/** One long conversation among others, and many segments: enough rows that a bad plan would be chosen if it were cheaper. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const repo = yield* ChatRepo
  for (const [id, rows] of [
    ["long", 40_000],
    ["b", 2_000],
    ["c", 2_000]
  ] as const) {
    yield* repo.create({ id })
    yield* sql`WITH c AS (UPDATE conversations SET messages = ${rows}::int, tokens = ${rows * 10}::bigint WHERE id = ${id} RETURNING key)
      INSERT INTO messages SELECT key, i, 'user', ${`"${"x".repeat(300)}"`}::text, 10, i * 10, 0 FROM c, generate_series(0, ${rows - 1}::int) i`
    yield* sql`INSERT INTO segments SELECT key, 'h' || i, 'light', i * 10, i * 10 + 10, '"s"', 5, 0
      FROM conversations, generate_series(0, ${rows / 10 - 1}::int) i WHERE id = ${id}`
  }
  yield* sql`INSERT INTO conversations (id, tenant, created_at) SELECT 'x' || i, 't' || i % 50, 0 FROM generate_series(1, 5000) i`
  yield* sql`ANALYZE`
})

/** The plan that a prepared statement keeps, and that must be good whatever its parameters are. */
const planOf = Effect.fnUntraced(function* (sql: Sql, statement: ReturnType<typeof Messages.history>) {
  const [text, parameters] = statement.compile()
  const literals = parameters.map((p) => (typeof p === "number" ? String(p) : `'${String(p)}'`)).join(", ")
  const explain = Effect.gen(function* () {
    yield* sql`SET LOCAL plan_cache_mode = force_generic_plan`
    yield* sql.unsafe(`PREPARE explained AS ${text}`).unprepared
    const rows = yield* sql.unsafe<Record<string, string>>(
      `EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) EXECUTE explained(${literals})`
    ).unprepared
    yield* sql`DEALLOCATE explained`
    return rows.flatMap((row) => Object.values(row)).join("\n")
  })
  return yield* sql.withTransaction(explain)
})

/** Shows that what is read of a long conversation costs what it returns. */
export const plansSuite = (it: Vitest.MethodsNonLive<ChatRepo | SqlClient.SqlClient>): void => {
  describe("plans", () => {
    it.effect("reads history and pages as ranges of an index", () =>
      Effect.gen(function* () {
        yield* fill
        const sql = yield* SqlClient.SqlClient
        const expectRange = Effect.fnUntraced(function* (
          statement: ReturnType<typeof Messages.history>,
          index: RegExp
        ) {
          const plan = yield* planOf(sql, statement)
          assert.match(plan, index, plan)
          assert.notMatch(plan, /Seq Scan|Sort|Rows Removed|Bitmap/, plan)
          return plan
        })
        const bounded = yield* expectRange(
          Messages.history(sql, "long", { maxTokens: 1_000, limit: 300 }),
          /Index Scan Backward using messages_by_tokens/
        )
        assert.match(bounded, /Index Cond: .*tokens_before >= /)
        assert.match(bounded, /rows=100(\.00)? loops=1/)
        yield* expectRange(
          Messages.history(sql, "long", { maxTokens: 1_000_000_000, limit: 300 }),
          /Index Scan Backward using messages_by_tokens.*rows=300/
        )
        yield* expectRange(
          Messages.page(sql, "long", { before: 20_000, limit: 50 }),
          /Index Scan Backward using messages_pkey.*rows=50/
        )
        yield* expectRange(
          Messages.page(sql, "long", { after: 20_000, limit: 50 }),
          /Index Scan using messages_pkey.*rows=50/
        )
        yield* expectRange(
          Messages.page(sql, "long", { limit: 50 }),
          /Index Scan Backward using messages_pkey.*rows=50/
        )
      })
    )

    it.effect("finds segments and conversations by index", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const segments = yield* planOf(
          sql,
          Derived.ofConversation(sql, "long", Derived.segmentsQuery(sql, { before: 1_000 }))
        )
        assert.match(segments, /segments_by_range/, segments)
        assert.match(segments, /conversations_id_key/, segments)
        assert.notMatch(segments, /Seq Scan/, segments)
        for (const cursor of [undefined, 4_000n]) {
          const tenant = yield* planOf(sql, Conversations.listQuery(sql, { tenant: "t1", limit: 20 }, cursor))
          assert.match(tenant, /Index Scan Backward using conversations_by_tenant.*rows=20/, tenant)
          assert.notMatch(tenant, /Rows Removed/, tenant)
          const all = yield* planOf(sql, Conversations.listQuery(sql, { limit: 20 }, cursor))
          assert.match(all, /Index Scan Backward using conversations_pkey.*rows=20/, all)
        }
        const repo = yield* ChatRepo
        assert.strictEqual((yield* repo.list({ tenant: "t1", limit: 10 })).length, 10)
        assert.strictEqual((yield* repo.history("long", { maxTokens: 1_000, limit: 300 })).messages.length, 100)
      })
    )
  })
}
