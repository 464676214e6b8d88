import { Cause, Effect, type Pull, Stream } from "effect"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { ClaudeError, StreamBroken } from "./ClaudeError.ts"
import { errorText } from "./Refusal.ts"

export const broken = (detail: string, body: unknown = null): ClaudeError =>
  new ClaudeError({ reason: new StreamBroken({ detail, body }) })

/** Upstream answered, but not with what was asked for. */
export const otherwise = (detail: string, body: unknown = null): ClaudeError =>
  new ClaudeError({ reason: new StreamBroken({ detail, body, answered: true }) })

/**
 * Passes every event on, known or not, and fails with `StreamBroken` at an `error` event, or when the stream ends
 * before `message_stop`. Events before the failure are passed on first. A connection that breaks, or falls silent, after
 * `message_stop` has only ended: the answer is whole.
 */
export const guardEvents = (events: Stream.Stream<StreamEvent, ClaudeError>): Stream.Stream<StreamEvent, ClaudeError> =>
  Stream.transformPull(events, (pull) =>
    Effect.sync(() => {
      let stopped = false
      let failure: ClaudeError | undefined
      const next = Effect.flatMap(pull, (batch) => {
        const at = batch.findIndex((event) => event.type === "error")
        if (at < 0) {
          stopped ||= batch.some((event) => event.type === "message_stop")
          return Effect.succeed(batch)
        }
        failure = broken(errorText(batch[at]), batch[at])
        const [first, ...rest] = batch.slice(0, at)
        return first === undefined ? Effect.fail(failure) : Effect.succeed([first, ...rest] as const)
      })
      const guarded = Effect.catch(next, (error): Pull.Pull<never, ClaudeError> => {
        if (stopped && error !== failure) return Cause.done()
        return Effect.fail(Cause.isDone(error) ? broken("it ended without message_stop") : error)
      })
      return Effect.suspend(() => (failure === undefined ? guarded : Effect.fail(failure)))
    })
  )
