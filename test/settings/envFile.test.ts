import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clean, ran, root } from "../cli/run.ts"

/** A checkout without a `.env` but the one that is given. */
const checkout = (env?: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-env-"))
      copyFileSync(join(root, "package.json"), join(folder, "package.json"))
      for (const name of ["src", "node_modules"]) symlinkSync(join(root, name), join(folder, name))
      if (env !== undefined) writeFileSync(join(folder, ".env"), env)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const sample = readFileSync(join(root, ".env.sample"), "utf8")
const serve = (cwd: string, env: Record<string, string> = {}) =>
  ran("npm", ["run", "-s", "sluice", "--", "serve"], { cwd, env: clean(env) })

describe(".env", () => {
  it.live("a copy of .env.sample is read, and every value in it is accepted", () =>
    Effect.gen(function* () {
      const last = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
      const cwd = yield* checkout(sample.replace(`${last}=false`, `${last}=maybe`))
      const { code, stderr } = yield* serve(cwd)
      assert.include(stderr, `${last}="maybe" is not accepted`)
      assert.strictEqual(code, 2)
    }).pipe(Effect.scoped)
  )

  it.live("the environment wins, and no file is needed", () =>
    Effect.gen(function* () {
      const given = yield* serve(yield* checkout("PORT=8080\n"), { PORT: "http" })
      assert.include(given.stderr, 'PORT="http"')
      const without = yield* serve(yield* checkout(), { PORT: "https" })
      assert.match(without.stderr, /^sluice: PORT="https"[^\n]*\n$/)
    }).pipe(Effect.scoped)
  )
})
