import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import { Data, Deferred, Effect, Exit, type Scope } from "effect"
import type { Options } from "./Pglite.ts"
import type { Reply, Request } from "./WorkerMessages.ts"

/** The backend is dead; what it was doing is not committed unless it was acknowledged. */
export class EngineFailed extends Data.TaggedError("EngineFailed")<{ readonly reason: string }> {}

/** A PGlite backend on a thread of its own, so that a long query never blocks the event loop. */
export interface Engine {
  /** Runs one batch. Batches must not overlap. */
  readonly run: (batch: Uint8Array<ArrayBuffer>) => Effect.Effect<Uint8Array<ArrayBuffer>, EngineFailed>
  /** Kills the thread in the middle of what it does. */
  readonly kill: (reason: string) => Effect.Effect<void>
}

// The emitted build keeps this URL as it is written, so the extension must come from the file that runs.
const workerUrl = new URL(`./PgliteWorker${extname(import.meta.url)}`, import.meta.url)

type Answer = Deferred.Deferred<Uint8Array<ArrayBuffer>, EngineFailed>

class Handle implements Engine {
  readonly ready = Deferred.makeUnsafe<void, EngineFailed>()
  private readonly ended = Deferred.makeUnsafe<void>()
  private readonly worker: Worker
  private failure: EngineFailed | undefined
  private pending: Answer | undefined

  constructor(options: Options) {
    this.worker = new Worker(workerUrl, { workerData: options, stdout: false, stderr: false })
    this.worker.on("message", (reply: Reply) => this.receive(reply))
    this.worker.on("error", (error) => this.fail(String(error)))
    this.worker.on("exit", () => {
      this.fail("its thread ended")
      Deferred.doneUnsafe(this.ended, Exit.void)
    })
  }

  run(batch: Uint8Array<ArrayBuffer>) {
    return Effect.suspend(() => {
      if (this.failure !== undefined) return Effect.fail(this.failure)
      const answer: Answer = Deferred.makeUnsafe()
      this.pending = answer
      this.post(batch)
      return Deferred.await(answer)
    })
  }

  kill(reason: string) {
    return Effect.suspend(() => {
      this.fail(reason)
      return Effect.promise(() => this.worker.terminate())
    })
  }

  close() {
    return Effect.suspend(() => {
      if (this.failure !== undefined) return Deferred.await(this.ended)
      this.post(null)
      return Deferred.await(this.ended)
    }).pipe(Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => this.kill("it did not close in time") }))
  }

  private post(request: Request): void {
    this.worker.postMessage(request, request === null ? [] : [request.buffer])
  }

  private receive(reply: Reply): void {
    switch (reply._tag) {
      case "ready":
        Deferred.doneUnsafe(this.ready, Exit.void)
        return
      case "answer": {
        const answer = this.pending
        this.pending = undefined
        if (answer !== undefined) Deferred.doneUnsafe(answer, Exit.succeed(reply.data))
        return
      }
      case "failed":
        this.fail(reply.reason)
        return
      case "closed":
        void this.worker.terminate()
    }
  }

  private fail(reason: string): void {
    if (this.failure !== undefined) return
    this.failure = new EngineFailed({ reason })
    const exit = Exit.fail(this.failure)
    Deferred.doneUnsafe(this.ready, exit)
    if (this.pending !== undefined) Deferred.doneUnsafe(this.pending, exit)
  }
}

/** Opens a backend; the scope's end closes it after the batch in flight. */
export const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Engine, EngineFailed, Scope.Scope> {
  const handle = yield* Effect.acquireRelease(
    Effect.sync(() => new Handle(options)),
    (handle) => handle.close()
  )
  yield* Deferred.await(handle.ready)
  return handle
})
