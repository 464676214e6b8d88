import { join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Layer, Option, type Redacted, type Scope, String } from "effect"
import { Reactivity } from "effect/reactivity"
import { Migrator, SqlClient, SqlError } from "effect/sql"
import { Settings } from "../Settings.ts"
import { DatabaseUnavailable } from "./DatabaseUnavailable.ts"
import * as Embedded from "./embedded/Embedded.ts"
import { migrations } from "./migrations/index.ts"
import * as Server from "./Server.ts"
import { reasonOf } from "./SqlReason.ts"

export { DatabaseUnavailable } from "./DatabaseUnavailable.ts"

/** snake_case columns, camelCase fields; names inside JSON stay as they are. Messages of the backend up to 64 MiB. */
const config = {
  transformQueryNames: String.camelToSnake,
  transformResultNames: String.snakeToCamel,
  transformJson: false,
  maxMessageSize: 64 * 1024 * 1024
} satisfies PgClient.PgClientConfig

type Provided = Database | PgClient.PgClient | SqlClient.SqlClient

const migrate = Migrator.make({})({ loader: migrations, table: "sluice_migrations" })

const whyNot = (error: Migrator.MigrationError | SqlError.SqlError): string => {
  if (SqlError.isSqlError(error)) return reasonOf(error)
  return SqlError.isSqlError(error.cause) ? `${error.message}: ${reasonOf(error.cause)}` : error.message
}

const notMigrated = (location: string) => (error: Migrator.MigrationError | SqlError.SqlError) =>
  new DatabaseUnavailable({
    database: location,
    reason: `its tables could not be brought up to date (${whyNot(error)})`,
    advice: "Make sure that its user may create tables, and that there is room"
  })

const silent = (location: string, reason: string) =>
  new DatabaseUnavailable({ database: location, reason, advice: "Requests that need it fail until it answers again" })

const provide = (
  kind: "embedded" | "postgres",
  location: string,
  acquire: Effect.Effect<PgClient.PgClient, DatabaseUnavailable, Scope.Scope | Reactivity.Reactivity>
): Layer.Layer<Provided, DatabaseUnavailable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      // Threads, disks and connections live in real time, whatever clock drives the program.
      const sql = yield* Effect.provideService(acquire, Clock.Clock, Clock.Clock.defaultValue())
      yield* migrate.pipe(Effect.provideService(SqlClient.SqlClient, sql), Effect.mapError(notMigrated(location)))
      const check = sql`SELECT 1`.pipe(
        Effect.asVoid,
        Effect.mapError((error) => silent(location, reasonOf(error))),
        Effect.timeoutOrElse({ duration: "3 seconds", orElse: () => Effect.fail(silent(location, "no answer in 3 s")) })
      )
      return Context.make(Database, { kind, location, check }).pipe(
        Context.add(PgClient.PgClient, sql),
        Context.add(SqlClient.SqlClient, sql)
      )
    })
  ).pipe(Layer.provide(Reactivity.layer))

/**
 * The one database, embedded (PGlite) or a Postgres server, brought up to date. Its layers provide `SqlClient` and
 * `PgClient` too: the same client, so the same SQL, for both. Columns are snake_case in SQL and camelCase in rows;
 * `bigint` arrives as BigInt: cast it (`x::float8`).
 */
export class Database extends Context.Service<
  Database,
  {
    readonly kind: "embedded" | "postgres"
    /** A directory or an address; holds no secret. */
    readonly location: string
    /** Asks the database something small. */
    readonly check: Effect.Effect<void, DatabaseUnavailable>
  }
>()("sluice/chat/Database") {
  /** Embedded in `directory`, which one process at a time may use. */
  static readonly layerEmbedded = (directory: string): Layer.Layer<Provided, DatabaseUnavailable> =>
    provide("embedded", directory, Embedded.make(directory, config))

  /** A Postgres server, 15 or later. */
  static readonly layerPostgres = (url: Redacted.Redacted): Layer.Layer<Provided, DatabaseUnavailable> =>
    provide("postgres", Server.location(url), Server.make(url, config))

  /** Embedded, in memory, migrated: for tests. Takes about two seconds to open: one per file. */
  static readonly layerMemory: Layer.Layer<Provided, DatabaseUnavailable> = provide(
    "embedded",
    "in memory",
    Embedded.make(undefined, config)
  )

  /** Postgres where DATABASE_URL says, else embedded in DATA_DIR. */
  static readonly layer: Layer.Layer<Provided, DatabaseUnavailable, Settings> = Layer.unwrap(
    Effect.map(Settings, (settings) =>
      Option.match(settings.databaseUrl, {
        onSome: Database.layerPostgres,
        onNone: () => Database.layerEmbedded(join(settings.dataDir, "db"))
      })
    )
  )
}
