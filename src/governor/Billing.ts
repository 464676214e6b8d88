import { Cause, Effect, Option } from "effect"
import type { CallOptions } from "../claude/Claude.ts"
import { ClaudeError } from "../claude/ClaudeError.ts"
import { blamesRequest } from "../claude/Refusal.ts"
import type { Account } from "./Account.ts"
import { afresh } from "./afresh.ts"
import type { Settlement } from "./Governed.ts"
import type { Job } from "./Job.ts"
import type { Reception } from "./Reception.ts"

const neverArrived = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT|CERT|SSL|TLS/

/** Refusals and faults are free; silence, a connection that was lost, or a stream that broke may have been billed. */
const mayBeBilled = ({ reason }: ClaudeError): boolean =>
  reason._tag === "TimedOut" ||
  reason._tag === "StreamBroken" ||
  (reason._tag === "Unreachable" && !neverArrived.test(reason.detail))

/** Upstream's own failure, when that is what went wrong. */
export const failureOf = (cause: Cause.Cause<unknown>): ClaudeError | undefined => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error instanceof ClaudeError ? error : undefined
}

export interface Attempts {
  readonly onAttempt: NonNullable<CallOptions["onAttempt"]>
  /** Closes the account of a call that failed before upstream said what it cost. */
  readonly failed: (cause: Cause.Cause<unknown>) => Effect.Effect<Settlement>
}

/**
 * Follows the attempts of one call. Every answer teaches the limiter. An attempt that certainly was not billed is given
 * back; one that may have been is booked as `partial` by the estimate, with `output` tokens: never zero, never lost. Once
 * nobody waits for the answer, a failed attempt is the last.
 */
export const makeAttempts = (reception: Reception, job: Job, account: Account, output: number): Attempts => {
  let stopped = false
  return {
    onAttempt: (event) => {
      if (event._tag === "Answered") {
        return event.status < 400 ? reception.observe(job, event.status, event.headers) : Effect.void
      }
      return Effect.gen(function* () {
        yield* reception.observeFailure(job, event.error)
        if (mayBeBilled(event.error)) yield* account.abandoned(event.attempt, output)
        if (job.waiting > 0) return
        stopped = true
        return yield* Effect.interrupt
      })
    },
    failed: (cause) => {
      const error = failureOf(cause)
      const free = stopped || (error !== undefined && !mayBeBilled(error))
      return afresh(
        Effect.andThen(
          reception.observeFailure(job, error),
          free
            ? account.release(blamesRequest(error) ? "rejected" : "error")
            : account.settle({ usage: account.guess(output), partial: true })
        )
      )
    }
  }
}
