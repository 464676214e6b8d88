import { spawn } from "node:child_process"
import { dirname } from "node:path"
import { Deferred, Effect, type Scope } from "effect"
import { emptyDatabase } from "../support/template.ts"
import { clean, root } from "./run.ts"

/** A DATA_DIR with a database that is there already: starting is much quicker than on an empty folder. */
export const temporary = Effect.map(emptyDatabase, dirname)

export interface Service {
  readonly url: string
  readonly output: () => string
  /** Nobody reads its output any more. */
  readonly deafen: Effect.Effect<void>
  /** Sends the signal and waits for the exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Effect.Effect<number | null>
}

/** A real process that says where it listens. Killed with the scope if nobody stopped it. */
export const start = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Record<string, string>
): Effect.fn.Return<Service, Error, Scope.Scope> {
  const child = spawn(process.execPath, ["src/main.ts", ...args], { cwd: root, env: clean(env) })
  yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
  const started = yield* Deferred.make<string, Error>()
  const ended = yield* Deferred.make<number | null>()
  let output = ""
  const read = (chunk: unknown) => {
    output += String(chunk)
    const url = / on (http:\S+:\d+)/.exec(output)?.[1]
    if (url !== undefined) Deferred.doneUnsafe(started, Effect.succeed(url))
  }
  child.stdout.on("data", read)
  child.stderr.on("data", read)
  child.on("close", (code) => {
    Deferred.doneUnsafe(started, Effect.fail(new Error(`It ended with ${code}:\n${output}`)))
    Deferred.doneUnsafe(ended, Effect.succeed(code))
  })
  const stop = (signal: NodeJS.Signals = "SIGTERM") =>
    Effect.andThen(
      Effect.sync(() => child.kill(signal)),
      Deferred.await(ended)
    )
  const deafen = Effect.sync(() => {
    child.stdout.destroy()
    child.stderr.destroy()
  })
  child.on("exit", (code) => Deferred.doneUnsafe(ended, Effect.succeed(code)))
  return { url: yield* Deferred.await(started), output: () => output, deafen, stop }
})

/** The service, on a free port. */
export const serve = (env: Record<string, string>) => start(["serve"], { PORT: "0", ...env })
