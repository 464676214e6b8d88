import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, Predicate } from "effect"
import { DatabaseUnavailable } from "../DatabaseUnavailable.ts"

const SQLITE_BUSY = 5

const unavailable = (directory: string, cause: unknown): DatabaseUnavailable =>
  Predicate.hasProperty(cause, "errcode") && cause.errcode === SQLITE_BUSY
    ? new DatabaseUnavailable({
        database: directory,
        reason: "another process is using this directory",
        advice: "Stop that process, set DATA_DIR to another directory, or share one Postgres through DATABASE_URL"
      })
    : new DatabaseUnavailable({
        database: directory,
        reason: `the directory cannot be written (${cause instanceof Error ? cause.message : String(cause)})`,
        advice: "Set DATA_DIR to a directory that this user can write and that has room"
      })

const lock = (path: string): DatabaseSync => {
  mkdirSync(dirname(path), { recursive: true })
  const handle = new DatabaseSync(path, { timeout: 0 })
  try {
    handle.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
    return handle
  } catch (error) {
    handle.close()
    throw error
  }
}

/**
 * Holds `directory` for this process until the scope closes. The kernel drops the lock when the process dies, however it
 * dies: Node has no flock, but its SQLite takes a real file lock, and refuses a second holder in the same process too.
 */
export const acquire = (directory: string) =>
  Effect.acquireRelease(
    Effect.try({ try: () => lock(`${directory}.lock`), catch: (cause) => unavailable(directory, cause) }),
    (handle) => Effect.sync(() => handle.close())
  )
