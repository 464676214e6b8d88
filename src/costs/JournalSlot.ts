import { existsSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, type Scope } from "effect"
import { Journal, readJournal } from "./Journal.ts"
import { LedgerError } from "./Records.ts"

/** As many processes may share a directory. */
const slots = 64

interface Slot {
  readonly path: string
  readonly release: () => void
}

/**
 * Takes a slot of the directory, unless another process has it. SQLite gives Node a real file lock, which the kernel
 * drops when the process dies, however it dies.
 */
const take = (directory: string, index: number): Slot | undefined => {
  const path = join(directory, `journal-${index}`)
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 })
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
    return { path, release: () => lock.close() }
  } catch {
    lock.close()
    return undefined
  }
}

const takeFirst = (directory: string): Slot => {
  for (let index = 0; index < slots; index++) {
    const slot = take(directory, index)
    if (slot !== undefined) return slot
  }
  throw new Error(`${slots} processes are using it already`)
}

/** The slots that dead processes left something in. */
const abandoned = (directory: string, own: Slot): ReadonlyArray<Slot> => {
  const found: Array<Slot> = []
  for (let index = 0; index < slots; index++) {
    const path = join(directory, `journal-${index}`)
    const slot = path !== own.path && existsSync(path) ? take(directory, index) : undefined
    if (slot !== undefined) found.push(slot)
  }
  return found
}

const begin = (directory: string) => {
  mkdirSync(directory, { recursive: true })
  const own = takeFirst(directory)
  try {
    const others = abandoned(directory, own)
    const live = [own, ...others].flatMap(({ path }) => [...readJournal(path)])
    const journal = new Journal(own.path, new Map(live))
    // Only now that it all stands in a journal of ours.
    for (const slot of others) {
      rmSync(slot.path)
      slot.release()
    }
    return { journal, release: own.release }
  } catch (error) {
    own.release()
    throw error
  }
}

/**
 * A journal of this process's own in `directory`, and what processes that died left there: it is live in this journal
 * until it is booked or cancelled. Any number of processes may use the directory.
 */
export const openJournal = (directory: string): Effect.Effect<Journal, LedgerError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => begin(directory),
      catch: (cause) =>
        new LedgerError({
          operation: `keep a journal in ${directory}`,
          reason: cause instanceof Error ? cause.message : String(cause)
        })
    }),
    ({ journal, release }) =>
      Effect.sync(() => {
        journal.close()
        release()
      })
  ).pipe(Effect.map(({ journal }) => journal))
