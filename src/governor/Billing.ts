import { Cause, type Effect, Option } from "effect"
import { ClaudeError } from "../claude/ClaudeError.ts"
import type { Account } from "./Accounts.ts"
import type { Settlement } from "./Governed.ts"

/** Upstream's refusals and faults are free; after silence, or a stream that was cut, it may have billed. */
const free = ({ reason }: ClaudeError): boolean =>
  reason._tag !== "TimedOut" && (reason._tag !== "StreamBroken" || (reason.body !== null && reason.body !== undefined))

/** Upstream's own failure, when that is what went wrong. */
export const failureOf = (cause: Cause.Cause<unknown>): ClaudeError | undefined => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error instanceof ClaudeError ? error : undefined
}

/**
 * Closes the account of a request that failed before upstream said what it cost. What was certainly not billed is given
 * back; a request that may have been is booked as `partial` by the estimate: never zero, never lost.
 */
export const billing = (
  account: Account,
  cause: Cause.Cause<unknown>,
  { output }: { readonly output: number }
): Effect.Effect<Settlement> => {
  const error = failureOf(cause)
  if (error !== undefined && free(error)) return account.release
  const { input, cacheRead } = account.expected
  const usage = { input, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead, output }
  return account.settle({ usage, partial: true })
}
