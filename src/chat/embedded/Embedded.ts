import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { Effect, Schedule } from "effect"
import { DatabaseUnavailable } from "../DatabaseUnavailable.ts"
import * as Bridge from "./Bridge.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import * as Engine from "./Engine.ts"

const reasonOf = (cause: unknown): string => {
  if (cause instanceof Engine.EngineFailed) return cause.reason
  return cause instanceof Error ? cause.message : String(cause)
}

const unavailable = (directory: string) => (cause: unknown) =>
  new DatabaseUnavailable({
    database: directory,
    reason: `the embedded database did not open (${reasonOf(cause)})`,
    advice:
      "Look for a full disk, missing permissions or files of another program or version; nothing there was changed"
  })

const sync = (path: string): void => {
  const file = openSync(path, "r")
  fsyncSync(file)
  closeSync(file)
}

/** Gives a finished draft its name; first on disk, then visible. */
const publish = (draft: string, directory: string): void => {
  const entries = readdirSync(draft, { recursive: true, withFileTypes: true })
  for (const entry of entries) sync(join(entry.parentPath, entry.name))
  renameSync(draft, directory)
  sync(dirname(directory))
}

const discard = (draft: string): void => rmSync(draft, { recursive: true, force: true })

/**
 * Creates the files beside their place and moves them there whole, so that a process killed half-way leaves nothing that
 * looks like a database; in a worker of its own, because initdb leaves a gigabyte of garbage behind.
 */
const initialise = Effect.fnUntraced(function* (directory: string) {
  if (existsSync(join(directory, "PG_VERSION"))) return
  const draft = `${directory}.new`
  const files = (f: () => void) => Effect.try({ try: f, catch: (cause) => cause })
  yield* files(() => discard(draft))
  yield* files(() => void mkdirSync(draft, { recursive: true }))
  yield* Effect.scoped(Engine.open({ directory: draft })).pipe(
    Effect.andThen(files(() => publish(draft, directory))),
    // Half a database would take the room that is missing.
    Effect.onError(() => Effect.sync(() => discard(draft)))
  )
})

/** One backend has no background processes: their work is done here. */
const housekeeping = (sql: PgClient.PgClient) =>
  Effect.all([
    Effect.forkScoped(
      Effect.ignore(sql`CHECKPOINT`).pipe(Effect.repeat(Schedule.spaced("5 minutes")), Effect.delay("5 minutes"))
    ),
    Effect.forkScoped(
      Effect.ignore(sql`VACUUM (ANALYZE)`).pipe(Effect.repeat(Schedule.spaced("6 hours")), Effect.delay("10 minutes"))
    )
  ])

/** A PgClient on an embedded Postgres: in `directory`, which it locks, or in memory. */
export const make = Effect.fnUntraced(function* (directory: string | undefined, config: PgClient.PgClientConfig) {
  if (directory !== undefined) yield* DirectoryLock.acquire(directory)
  const where = directory ?? "in memory"
  if (directory !== undefined) yield* Effect.mapError(initialise(directory), unavailable(where))
  const stream = yield* Bridge.make({
    open: Engine.open({ directory }),
    batchLimit: 120_000,
    silenceLimit: 15_000,
    checkpointBytes: 32 * 1024 * 1024
  }).pipe(Effect.mapError(unavailable(where)))
  const client = yield* PgClient.make({
    ...config,
    username: "postgres",
    database: "postgres",
    maxConnections: 4,
    stream
  }).pipe(Effect.mapError(unavailable(where)))
  yield* housekeeping(client)
  // Cluster storage asks for the driver, to know that there is a single session.
  return Object.assign(client, { driver: "pglite" })
})
