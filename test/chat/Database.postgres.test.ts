import { createServer, type Socket } from "node:net"
import { assert, it, layer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { Settings } from "../../src/Settings.ts"
import { start } from "../support/child.ts"
import { describePostgres, password, TestPostgres } from "../support/postgres.ts"

const open = (url: string) =>
  SqlClient.SqlClient.use((sql) => sql`SELECT 1 AS one`).pipe(
    Effect.provide(Database.layerPostgres(Redacted.make(url)))
  )

/** A server that takes connections and never says a word. */
const silentServer = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      resume(Effect.succeed({ port, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const refused = Effect.fnUntraced(function* (url: string, ...words: ReadonlyArray<string>) {
  const error = yield* Effect.flip(open(url))
  assert.strictEqual(error._tag, "DatabaseUnavailable")
  for (const word of words) assert.include(error.message, word)
  for (const secret of ["hunter2", password, encodeURIComponent(password)]) {
    assert.notInclude(error.message, secret)
    assert.notInclude(JSON.stringify(error), secret)
  }
})

it.live("says what is wrong with an address, soon and without its password", () =>
  Effect.gen(function* () {
    yield* refused(
      "postgres://me:hunter2@127.0.0.1:1/db",
      "postgres://127.0.0.1:1/db",
      "ECONNREFUSED",
      "Start Postgres"
    )
    yield* refused("postgres://me:hunter2@nowhere.invalid/db", "nowhere.invalid")
    yield* refused("mysql://me:hunter2@127.0.0.1/db", "DATABASE_URL as postgres://")
    yield* refused("hunter2 is not an address", "DATABASE_URL as postgres://")
    yield* refused("postgres://me:%zz@127.0.0.1/hunter3?password=hunter2", "127.0.0.1")
  })
)

it.live(
  "does not wait for ever for a server that never answers",
  () =>
    Effect.gen(function* () {
      const { port } = yield* silentServer
      yield* refused(`postgres://me:hunter2@127.0.0.1:${port}/db`, "timed out")
    }),
  15_000
)

describePostgres("with a server", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("says when the password or the database is wrong", () =>
      Effect.gen(function* () {
        const { port } = yield* TestPostgres
        const secret = encodeURIComponent(password)
        yield* refused(`postgres://sluice:hunter2@127.0.0.1:${port}/postgres`, "authentication", "user and password")
        yield* refused(`postgres://sluice:${secret}@127.0.0.1:${port}/missing`, "missing", "Create that database")
      })
    )

    it.effect("says what its user may not do", () =>
      Effect.gen(function* () {
        const { port, url } = yield* TestPostgres
        yield* SqlClient.SqlClient.use((sql) => sql`CREATE ROLE guest LOGIN PASSWORD 'hunter2'`).pipe(
          Effect.andThen(SqlClient.SqlClient.use((sql) => sql`CREATE DATABASE foreign_land`)),
          Effect.provide(Database.layerPostgres(url))
        )
        yield* refused(
          `postgres://guest:hunter2@127.0.0.1:${port}/foreign_land`,
          "permission denied for schema public",
          "may create tables"
        )
      })
    )

    it.effect("is where the settings say, brought up to date once however many start together", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        const settings = Settings.layerWith({ databaseUrl: Option.some(url) })
        const tables = SqlClient.SqlClient.use((sql) => sql`SELECT count(*)::int AS n FROM conversations`)
        const starts = Array.from({ length: 3 }, () =>
          tables.pipe(Effect.provide(Layer.fresh(Layer.provide(Database.layer, settings))))
        )
        for (const rows of yield* Effect.all(starts, { concurrency: 3 })) assert.deepStrictEqual(rows, [{ n: 0 }])
      })
    )

    it.effect("bounds statements, locks and idle transactions", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        const rows = yield* SqlClient.SqlClient.use(
          (sql) => sql`SELECT current_setting('statement_timeout') AS s, current_setting('lock_timeout') AS l,
            current_setting('idle_in_transaction_session_timeout') AS i`
        ).pipe(Effect.provide(Database.layerPostgres(url)))
        assert.deepStrictEqual(rows, [{ s: "30s", l: "15s", i: "30s" }])
      })
    )

    it.effect("answers a health check, and fails it when the server is gone", () =>
      Effect.gen(function* () {
        const database = yield* Database
        assert.strictEqual(database.kind, "postgres")
        assert.notInclude(database.location, "sluice:")
        yield* database.check
        yield* SqlClient.SqlClient.use((sql) => Effect.ignore(sql`SELECT pg_terminate_backend(pg_backend_pid())`))
        // The pool replaces what was lost.
        yield* database.check
      }).pipe(Effect.provide(Layer.unwrap(TestPostgres.useSync(({ url }) => Database.layerPostgres(url)))))
    )

    it.effect(
      "numbers messages without gaps when processes write to one conversation",
      () =>
        Effect.gen(function* () {
          const { url } = yield* TestPostgres
          const children = yield* Effect.all(
            [1, 2].map(() => start(import.meta.url, "./children/append.ts", [Redacted.value(url), "ours", "150"])),
            { concurrency: 2 }
          )
          for (const child of children) assert.strictEqual(yield* child.exit, 0)
          const messages = yield* ChatRepo.use((repo) => repo.messages("ours", { limit: 10_000 })).pipe(
            Effect.provide(Layer.provide(ChatRepo.layerNoDeps, Database.layerPostgres(url)))
          )
          assert.strictEqual(messages.length, 600)
          assert.deepStrictEqual(
            messages.map((m) => m.seq),
            messages.map((_, i) => i)
          )
          const perWriter = Map.groupBy(messages, (m) => String(m.content).split(" ").slice(0, 2).join(" "))
          for (const [, parts] of perWriter) {
            assert.deepStrictEqual(
              parts.map((m) => String(m.content).split(" ")[2]),
              parts.map((_, i) => String(i))
            )
          }
        }),
      120_000
    )
  })
})
