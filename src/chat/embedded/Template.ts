import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Worker } from "node:worker_threads"
import { zstdCompress } from "node:zlib"
import { Effect, Random, Schema } from "effect"
import * as Pack from "./Pack.ts"

/** There is no template, or it is damaged. */
export class NoTemplate extends Schema.TaggedError<NoTemplate>()("NoTemplate", { reason: Schema.String }) {
  override get message(): string {
    return `No template of a database: ${this.reason}`
  }
}

const compress = promisify(zstdCompress)

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** The version that is installed, whatever our own package.json asked for: another one makes other files. */
const pgliteVersion = (): string => {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite")
  return Schema.decodeUnknownSync(Manifest)(readFileSync(join(dirname(entry), "../package.json"), "utf8")).version
}

/** Beside the dependencies, as the compiled code: a folder that only those can write to who can change the code. */
const folder = fileURLToPath(new URL("../../../node_modules/.cache/sluice/", import.meta.url))

/** Where the files of a fresh database are kept for this version of PGlite. */
export const location = (): string => join(folder, `database-${pgliteVersion()}.pack`)

// The emitted build keeps this URL as it is written, so the extension must come from the file that runs.
const workerUrl = new URL(`./UnpackWorker${extname(import.meta.url)}`, import.meta.url)

const unpacked = (file: string, directory: string): Effect.Effect<void, NoTemplate> =>
  Effect.callback((resume) => {
    const worker = new Worker(workerUrl, { workerData: { directory, file } })
    const fail = (reason: string) => resume(Effect.fail(new NoTemplate({ reason })))
    worker.once("message", () => resume(Effect.void))
    worker.once("error", (error) => fail(error instanceof Error ? error.message : String(error)))
    worker.once("exit", () => fail("its thread ended"))
    return Effect.promise(() => worker.terminate())
  })

/** Fills an existing, empty directory with a fresh database, which is on disk when this returns: a tenth of the work of making one. */
export const restore = (directory: string, file: string): Effect.Effect<void, NoTemplate> =>
  Effect.suspend(() => {
    if (!existsSync(file)) return Effect.fail(new NoTemplate({ reason: "none was made yet" }))
    const forgotten = Effect.ignore(Effect.try({ try: () => rmSync(file, { force: true }), catch: String }))
    // A damaged one would be tried again and again; a full disk is not its fault.
    return Effect.tapError(unpacked(file, directory), ({ reason }) =>
      reason === Pack.damaged ? forgotten : Effect.void
    )
  })

/**
 * Keeps the files of a fresh database that nobody uses yet. They are read before this returns; the rest goes on by
 * itself, and nothing is lost where it fails. The file appears whole, so two processes may do it at once.
 */
export const keep = Effect.fnUntraced(function* (directory: string, file: string) {
  const draft = `${file}.${process.pid}.${yield* Random.nextInt}`
  const files = yield* Effect.try({ try: () => Pack.read(directory), catch: (cause) => new Error(String(cause)) })
  const write = Effect.promise(async () => {
    const compressed = await compress(files)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(draft, Pack.sealed(compressed))
    renameSync(draft, file)
  })
  const cleared = Effect.ignore(Effect.try({ try: () => rmSync(draft, { force: true }), catch: String }))
  return yield* Effect.forkDetach(Effect.catchCause(write, () => cleared))
})
