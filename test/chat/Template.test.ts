import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { mkdir, readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import type { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Reactivity } from "effect/reactivity"
import manifest from "../../package.json" with { type: "json" }
import * as Embedded from "../../src/chat/embedded/Embedded.ts"
import { read } from "../../src/chat/embedded/Pack.ts"
import * as Template from "../../src/chat/embedded/Template.ts"
import { temporaryDirectory } from "../support/directory.ts"
import { emptyDatabase } from "../support/template.ts"

const kept = Effect.fnUntraced(function* (database: string) {
  const file = join(yield* temporaryDirectory, "cache", "database.pack")
  yield* Fiber.join(yield* Template.keep(database, file))
  return file
})

const emptyDirectory = Effect.flatMap(temporaryDirectory, (parent) => {
  const directory = join(parent, "restored")
  return Effect.as(
    Effect.promise(() => mkdir(directory)),
    directory
  )
})

const use = <A>(directory: string, template: string, ask: (sql: PgClient.PgClient) => Effect.Effect<A, unknown>) =>
  Effect.scoped(Effect.flatMap(Embedded.make(directory, {}, template), ask)).pipe(Effect.provide(Reactivity.layer))

const rows = (sql: PgClient.PgClient) =>
  Effect.gen(function* () {
    yield* sql`CREATE TABLE t (n int)`
    yield* sql`INSERT INTO t VALUES (1), (2)`
    return yield* sql`SELECT count(*)::int AS n FROM t`
  })

describe("the template of a fresh database", { timeout: 180_000 }, () => {
  it.live("gives back every file and directory, byte by byte", () =>
    Effect.gen(function* () {
      const database = yield* emptyDatabase
      const file = yield* kept(database)
      const restored = yield* emptyDirectory
      yield* Template.restore(restored, file)
      assert.isTrue(read(restored).equals(read(database)))
      assert.isBelow(readFileSync(file).length, 8_000_000)
    }).pipe(Effect.scoped)
  )

  it.live("is what a fresh start is made of, and the database works as any other", () =>
    Effect.gen(function* () {
      const file = yield* kept(yield* emptyDatabase)
      const directory = join(yield* temporaryDirectory, "db")
      assert.deepStrictEqual(yield* use(directory, file, rows), [{ n: 2 }])
      assert.deepStrictEqual(yield* use(directory, file, (sql) => sql`SELECT n FROM t ORDER BY n`), [
        { n: 1 },
        { n: 2 }
      ])
      assert.isFalse(existsSync(`${directory}.new`))
      assert.strictEqual(statSync(directory).mode & 0o777, 0o700)
    }).pipe(Effect.scoped)
  )

  it.live("is made anew by the start that finds it damaged", () =>
    Effect.gen(function* () {
      const file = yield* kept(yield* emptyDatabase)
      const whole = readFileSync(file)
      for (const damaged of [Buffer.alloc(0), whole.subarray(0, whole.length / 2), flipped(whole, whole.length - 10)]) {
        writeFileSync(file, damaged)
        const error = yield* Effect.flip(Template.restore(yield* emptyDirectory, file))
        assert.strictEqual(error._tag, "NoTemplate")
        assert.isFalse(existsSync(file), "nobody tries it again")
      }
      writeFileSync(file, flipped(whole, 40))
      const directory = join(yield* temporaryDirectory, "db")
      assert.deepStrictEqual(yield* use(directory, file, rows), [{ n: 2 }])
      yield* Effect.promise(async () => {
        while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20))
      })
      yield* Template.restore(yield* emptyDirectory, file)
    }).pipe(Effect.scoped)
  )

  it.live("may be kept and used by several at once", () =>
    Effect.gen(function* () {
      const database = yield* emptyDatabase
      const expected = read(database)
      const file = join(yield* temporaryDirectory, "database.pack")
      const keeping = Effect.flatMap(Template.keep(database, file), Fiber.join)
      const restoring = Effect.gen(function* () {
        const directory = yield* emptyDirectory
        const isThere = yield* Effect.isSuccess(Template.restore(directory, file))
        if (isThere) assert.isTrue(read(directory).equals(expected))
      })
      yield* Effect.all([keeping, restoring, keeping, restoring, keeping, restoring], { concurrency: "unbounded" })
      yield* restoring
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(join(file, ".."))), ["database.pack"])
    }).pipe(Effect.scoped)
  )

  it("belongs to the version of PGlite that is installed", () =>
    assert.strictEqual(basename(Template.location()), `database-${manifest.dependencies["@electric-sql/pglite"]}.pack`))

  it.live("nowhere to keep it is no reason to fail", () =>
    Effect.gen(function* () {
      const occupied = join(yield* temporaryDirectory, "a-file")
      writeFileSync(occupied, "")
      yield* Fiber.join(yield* Template.keep(yield* emptyDatabase, join(occupied, "database.pack")))
      const missing = Template.restore(yield* emptyDirectory, join(occupied, "database.pack"))
      assert.strictEqual((yield* Effect.flip(missing))._tag, "NoTemplate")
    }).pipe(Effect.scoped)
  )
})

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}
