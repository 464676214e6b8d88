import { randomBytes } from "node:crypto"
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import * as Bridge from "../../src/chat/embedded/Bridge.ts"
import * as Engine from "../../src/chat/embedded/Engine.ts"
import { reasonOf } from "../../src/chat/SqlReason.ts"
import { start } from "../support/child.ts"
import { temporaryDirectory } from "../support/directory.ts"
import { emptyDatabase } from "../support/template.ts"

const limits = { batchLimit: 60_000, silenceLimit: 60_000, checkpointBytes: 4_000_000 }

/** A client of an embedded database whose limits are short enough to be reached. */
const client = Effect.fnUntraced(function* (directory: string, options: Partial<typeof limits> = {}) {
  const stream = yield* Bridge.make({ open: Engine.open({ directory }), ...limits, ...options })
  return yield* PgClient.make({ username: "postgres", database: "postgres", maxConnections: 4, stream })
}, Effect.provide(Reactivity.layer))

describe("embedded database", { timeout: 120_000 }, () => {
  it.live("keeps sessions apart: a transaction has the backend for itself until it ends", () =>
    Effect.gen(function* () {
      const sql = yield* client(yield* emptyDatabase)
      yield* sql`CREATE TABLE t (n int)`
      const inside = yield* Deferred.make<void>()
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`INSERT INTO t VALUES (1)`
          yield* Deferred.succeed(inside, undefined)
          yield* Effect.sleep(50)
          yield* sql`INSERT INTO t VALUES (2)`
          return yield* Effect.fail("undo")
        })
      )
      const fiber = yield* Effect.forkChild(Effect.flip(transaction))
      yield* Deferred.await(inside)
      const counted = yield* Effect.all(
        Array.from({ length: 6 }, () => sql`SELECT count(*)::int AS n FROM t`),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* Fiber.join(fiber), "undo")
      assert.deepStrictEqual(counted.flat(), Array(6).fill({ n: 0 }))
    })
  )

  it.live("rolls back a transaction that is silent while others wait", () =>
    Effect.gen(function* () {
      const sql = yield* client(yield* emptyDatabase, { silenceLimit: 200 })
      yield* sql`CREATE TABLE t (n int)`
      const inside = yield* Deferred.make<void>()
      const stuck = yield* sql
        .withTransaction(
          Effect.andThen(
            sql`INSERT INTO t VALUES (1)`,
            Effect.andThen(Deferred.succeed(inside, undefined), Effect.never)
          )
        )
        .pipe(Effect.exit, Effect.forkChild)
      yield* Deferred.await(inside)
      assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM t`, [{ n: 0 }])
      yield* Fiber.interrupt(stuck)
      assert.deepStrictEqual(yield* sql.withTransaction(sql`SELECT 1 AS one`), [{ one: 1 }])
    })
  )

  it.live("gives up on a query that takes too long, and opens again with everything acknowledged", () =>
    Effect.gen(function* () {
      const sql = yield* client(yield* emptyDatabase, { batchLimit: 3_000 })
      yield* sql`CREATE TABLE t (n int)`
      yield* sql`INSERT INTO t VALUES (1)`
      const endless = sql`SELECT count(*) FROM generate_series(1, 100000000000) a`
      const waiting = yield* Effect.forkChild(Effect.exit(Effect.delay(sql`SELECT 1`, 200)))
      const error = yield* Effect.flip(endless)
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.isTrue(error.reason.isRetryable)
      // Who waited behind it fails too, or is served by the new backend; nobody hangs.
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* sql`SELECT n FROM t`, [{ n: 1 }])
    })
  )

  it.live("fails instead of hanging when Postgres panics, and again when it cannot open any more", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDatabase
      const sql = yield* client(directory)
      yield* sql`CREATE TABLE t (n int)`
      rmSync(join(directory, "pg_wal"), { recursive: true })
      const panic = yield* Effect.flip(
        Effect.forEach(Array.from({ length: 3 }), () =>
          Effect.andThen(sql`INSERT INTO t VALUES (1)`, sql`SELECT pg_switch_wal()::text`)
        )
      )
      assert.strictEqual(panic.reason._tag, "ConnectionError")
      assert.include(reasonOf(panic), "the embedded database stopped: could not create file")
      const after = yield* Effect.flip(sql`SELECT 1`)
      assert.strictEqual(after.reason._tag, "ConnectionError")
    })
  )

  it.live("keeps the log short however much is written", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDatabase
      const sql = yield* client(directory)
      yield* sql`CREATE TABLE t (text text STORAGE EXTERNAL)`
      for (let i = 0; i < 100; i++) yield* sql`INSERT INTO t VALUES (${randomBytes(500_000).toString("hex")})`
      const segments = readdirSync(join(directory, "pg_wal")).filter((name) => /^[0-9A-F]{24}$/.test(name))
      assert.isAtMost(segments.length, 5)
    })
  )

  it.live("carries batches of many megabytes both ways", () =>
    Effect.gen(function* () {
      const sql = yield* client(yield* emptyDatabase)
      const text = "ü".repeat(4 * 1024 * 1024)
      const [row] = yield* sql<{ readonly text: string }>`SELECT ${text}::text AS text`
      assert.isTrue(row?.text === text)
    })
  )
})

const opened = (directory: string) =>
  SqlClient.SqlClient.use((sql) => sql`SELECT 1`).pipe(Effect.provide(Database.layerEmbedded(directory)))

describe("a directory that cannot be used", { timeout: 120_000 }, () => {
  it.live("is named, with what to do", () =>
    Effect.gen(function* () {
      const root = yield* temporaryDirectory
      writeFileSync(join(root, "file"), "")
      const below = yield* Effect.flip(opened(join(root, "file", "db")))
      assert.strictEqual(below._tag, "DatabaseUnavailable")
      assert.include(below.message, join(root, "file", "db"))
      assert.include(below.message, "cannot be written")
      assert.include(below.message, "DATA_DIR")

      writeFileSync(join(root, "taken"), "")
      const taken = yield* Effect.flip(opened(join(root, "taken")))
      assert.include(taken.message, "ENOTDIR")
      assert.deepStrictEqual(readdirSync(root).sort(), ["file", "taken", "taken.lock"])

      yield* Effect.promise(() => mkdir(join(root, "old")))
      writeFileSync(join(root, "old", "PG_VERSION"), "9.6\n")
      const old = yield* Effect.flip(opened(join(root, "old")))
      assert.include(old.message, "another program or version")
    })
  )

  it.live("is said to be full when the disk is full, and goes on when there is room again", (context) =>
    Effect.gen(function* () {
      const mount = yield* temporaryDirectory
      const disk = yield* start(import.meta.url, "./children/fullDisk.ts", [mount, yield* emptyDatabase])
      const first = yield* disk.line
      if (first === "cannot mount") return context.skip("skipped: user namespaces are not allowed here")
      assert.include(first, "no space left on device")
      assert.include(yield* disk.line, "No space left on device")
      assert.strictEqual(yield* disk.line, "kept")
      assert.strictEqual(yield* disk.line, "room again")
    })
  )

  it.live("keeps Database.check honest", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDatabase
      const [kind, location] = yield* Effect.gen(function* () {
        const database = yield* Database
        yield* database.check
        yield* (yield* ChatRepo).create({ id: "there" })
        return [database.kind, database.location] as const
      }).pipe(Effect.provide(Layer.provideMerge(ChatRepo.layerNoDeps, Database.layerEmbedded(directory))))
      assert.deepStrictEqual([kind, location], ["embedded", directory])
      assert.isTrue(existsSync(join(directory, "PG_VERSION")))
      assert.isFalse(existsSync(`${directory}.new`))
    })
  )
})
