import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { Effect, Schedule } from "effect"
import { DatabaseUnavailable } from "../DatabaseUnavailable.ts"
import * as Bridge from "./Bridge.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import * as Engine from "./Engine.ts"
import { flush, sync } from "./flush.ts"
import * as Template from "./Template.ts"

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

/** Gives a finished draft, which is on disk, its name. */
const publish = async (draft: string, directory: string): Promise<void> => {
  renameSync(draft, directory)
  await sync(dirname(directory))
}

const discard = (draft: string): void => rmSync(draft, { recursive: true, force: true })

const files = (f: () => void | Promise<void>) => Effect.tryPromise({ try: async () => f(), catch: (cause) => cause })

/** For this user's eyes only: the backend lets everybody write to its files. */
const empty = (directory: string) =>
  files(() => {
    discard(directory)
    mkdirSync(dirname(directory), { recursive: true })
    mkdirSync(directory, { mode: 0o700 })
  })

/** By initdb, in a worker of its own, because it leaves a gigabyte of garbage behind. What it made is kept for the next time. */
const fromScratch = (directory: string, template: string) =>
  Effect.scoped(Engine.open({ directory })).pipe(
    Effect.andThen(Effect.ignore(Template.keep(directory, template))),
    Effect.andThen(files(() => flush(directory)))
  )

/**
 * Creates the files beside their place and moves them there whole, first on disk, then visible, so that a process killed
 * half-way leaves nothing that looks like a database.
 */
const initialise = Effect.fnUntraced(function* (directory: string, template: string) {
  if (existsSync(join(directory, "PG_VERSION"))) return
  const draft = `${directory}.new`
  yield* empty(draft)
  yield* Template.restore(draft, template).pipe(
    Effect.catchTag("NoTemplate", () => Effect.andThen(empty(draft), fromScratch(draft, template))),
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

/** A PgClient on an embedded Postgres: in `directory`, which it locks, or in memory. `template`: what a fresh one is made of. */
export const make = Effect.fnUntraced(function* (
  directory: string | undefined,
  config: PgClient.PgClientConfig,
  template = Template.location()
) {
  if (directory !== undefined) yield* DirectoryLock.acquire(directory)
  const where = directory ?? "in memory"
  if (directory !== undefined) yield* Effect.mapError(initialise(directory, template), unavailable(where))
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
