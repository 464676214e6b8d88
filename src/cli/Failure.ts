import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { CliError } from "effect/cli"
import * as HttpServerError from "effect/http/HttpServerError"

/** Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 130 interrupted. */
const misuse = new Set(["InvalidSetting", "Misuse", "ShowHelp"])

const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined

const codeOf = (cause: Cause.Cause<unknown>): number => {
  if (Cause.hasInterruptsOnly(cause)) return typeof process.exitCode === "number" ? process.exitCode : 130
  const error = Cause.squash(cause)
  const code = Runtime.getErrorExitCode(error)
  return code !== 0 && misuse.has(String(tagOf(error))) ? 2 : code
}

const listening: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use. Stop what listens there, or choose another port",
  EACCES: "this user may not. Choose a port from 1024 on",
  EADDRNOTAVAIL: "this machine has no such address. Choose another host"
}

/** Node's own words name the address; what to do about it depends on the code. */
const cannotListen = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = /\b(E[A-Z]+)\b/.exec(message)?.[1] ?? ""
  const address = /\S+:\d+$/.exec(message)?.[0]
  const why = listening[code]
  return why === undefined ? `Cannot listen: ${message}.` : `Cannot listen on ${address ?? "that address"}: ${why}.`
}

const sentence = (error: unknown): string => {
  if (error instanceof HttpServerError.ServeError) return cannotListen(error.cause)
  return error instanceof Error ? error.message : String(error)
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ")

/** A failure that was foreseen is one line that says what to do; only a bug shows where it happened. */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  // The command line has shown its own errors already, with the help that belongs to them.
  if (CliError.isCliError(error)) return Effect.void
  return Cause.hasDies(cause)
    ? Console.error(`sluice: this is a bug, please report it.\n${Cause.pretty(cause)}`)
    : Console.error(`sluice: ${oneLine(sentence(error))}`)
}

export const teardown: Runtime.Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : codeOf(exit.cause))
