import type { Readable } from "node:stream"
import { Cause, Effect, type Pull, Stream } from "effect"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { ClaudeError, StreamBroken, TimedOut } from "./ClaudeError.ts"
import { sseParser } from "./Sse.ts"

/** What a body that fails while it is read means. */
export const bodyError = (error: unknown, idleMillis: number): ClaudeError => {
  const silent = error instanceof Error && "code" in error && error.code === "UND_ERR_BODY_TIMEOUT"
  const detail = error instanceof Error ? error.message : "the connection was closed"
  return new ClaudeError({
    reason: silent ? new TimedOut({ afterMillis: idleMillis }) : new StreamBroken({ detail, body: null })
  })
}

type Chunk = Uint8Array | undefined

/** Everything that has arrived, waiting for more when nothing has; undefined at the end. */
const nextChunk = (body: Readable, idleMillis: number): Effect.Effect<Chunk, ClaudeError> =>
  Effect.callback((resume) => {
    const settle = (): boolean => {
      const chunk: Uint8Array | null = body.read()
      if (chunk !== null) resume(Effect.succeed(chunk))
      else if (body.readableEnded) resume(Effect.undefined)
      else if (body.destroyed) resume(Effect.fail(bodyError(body.errored, idleMillis)))
      else return false
      return true
    }
    if (settle()) return
    const clean = () => {
      for (const name of ["readable", "end", "error", "close"]) body.off(name, wake)
    }
    const wake = () => {
      if (settle()) clean()
    }
    for (const name of ["readable", "end", "error", "close"]) body.on(name, wake)
    return Effect.sync(clean)
  })

/** The events in a body, as they arrive; several that arrive together come as one batch. */
export const byteEvents = (body: Readable, idleMillis: number): Stream.Stream<StreamEvent, ClaudeError> =>
  Stream.fromPull(
    Effect.sync(() => {
      const parser = sseParser()
      const pull: Pull.Pull<readonly [StreamEvent, ...Array<StreamEvent>], ClaudeError> = Effect.flatMap(
        nextChunk(body, idleMillis),
        (chunk) => {
          if (chunk === undefined) return Cause.done()
          const [first, ...rest] = parser.push(chunk)
          return first === undefined ? pull : Effect.succeed([first, ...rest] as const)
        }
      )
      return pull
    })
  )
