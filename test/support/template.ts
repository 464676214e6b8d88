import { existsSync } from "node:fs"
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import manifest from "../../package.json" with { type: "json" }
import * as Engine from "../../src/chat/embedded/Engine.ts"
import { temporaryDirectory } from "./directory.ts"

const cache = fileURLToPath(new URL("../../node_modules/.cache/sluice/", import.meta.url))
const template = join(cache, `pglite-${manifest.dependencies["@electric-sql/pglite"]}`)

/** Made once for each version of PGlite and kept, because making a database costs seconds of processor time. */
const makeTemplate = Effect.gen(function* () {
  const draft = yield* Effect.promise(async () => {
    await mkdir(cache, { recursive: true })
    return mkdtemp(join(cache, "draft-"))
  })
  yield* Effect.scoped(Engine.open({ directory: draft }))
  // Another test file may have been faster.
  yield* Effect.promise(() => rename(draft, template).catch(() => rm(draft, { recursive: true, force: true })))
})

/** A new, empty database of its own, in a directory that goes with the scope: `DIRECTORY/db`. */
export const emptyDatabase = Effect.gen(function* () {
  const directory = join(yield* temporaryDirectory, "db")
  if (!existsSync(template)) yield* makeTemplate
  yield* Effect.promise(() => cp(template, directory, { recursive: true }))
  return directory
})
