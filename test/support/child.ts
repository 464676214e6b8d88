import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Queue, type Scope } from "effect"

export interface Child {
  readonly pid: number
  /** The next line of its output; undefined when it has ended and said all. */
  readonly line: Effect.Effect<string | undefined>
  /** Ends it with no chance to clean up, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  readonly exit: Effect.Effect<number | null>
}

const ended = (child: ChildProcess) =>
  Effect.callback<number | null>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) resume(Effect.succeed(child.exitCode))
    else child.once("exit", (code) => resume(Effect.succeed(code)))
  })

/** Runs a TypeScript file in a Node process of its own, killed with the scope. `script` is relative to `base`. */
export const start = Effect.fnUntraced(function* (
  base: string,
  script: string,
  args: ReadonlyArray<string>
): Effect.fn.Return<Child, never, Scope.Scope> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, base)), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const kill = Effect.andThen(
    Effect.sync(() => child.kill("SIGKILL")),
    ended(child)
  )
  yield* Effect.addFinalizer(() => kill)
  const lines = yield* Queue.unbounded<string | undefined>()
  const reader = createInterface({ input: child.stdout })
  reader.on("line", (line) => Queue.offerUnsafe(lines, line))
  reader.on("close", () => Queue.offerUnsafe(lines, undefined))
  return { pid: child.pid ?? 0, line: Queue.take(lines), kill: Effect.asVoid(kill), exit: ended(child) }
})
