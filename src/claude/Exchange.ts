import type * as Undici from "@effect/platform-node/Undici"
import { Array as Arr, Cause, Effect, type Pull, Scope } from "effect"
import { ClaudeError, StreamBroken, TimedOut, Unreachable } from "./ClaudeError.ts"

export interface ExchangeOptions {
  readonly dispatcher: Undici.Dispatcher
  readonly origin: string
  /** With its query. */
  readonly path: string
  readonly method: "GET" | "POST"
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string | null
  /** How long the response headers may take, in milliseconds. */
  readonly answerMillis: number
  /** Silence in a body after which it fails, in milliseconds. */
  readonly idleMillis: number
}

/** A response whose head is there. */
export interface Exchange {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** What has arrived since the last pull; upstream is held up while nobody pulls. */
  readonly chunks: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, ClaudeError>
  /** The whole body. */
  readonly bytes: Effect.Effect<Uint8Array, ClaudeError>
}

/** Bytes that may wait for their reader before upstream is held up. */
const highWater = 256 * 1024

type Controller = Undici.Dispatcher.DispatchController
type Resume = (effect: Effect.Effect<void>) => void

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

const detailOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  return typeof code === "string" ? `${code}: ${error.message}` : error.message
}

const plain = (headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>) => {
  const result: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) result[name] = typeof value === "string" ? value : value.join(", ")
  }
  return result
}

const aborted = new Error("The caller went away")

/** One exchange as undici tells of it: state that grows by its events, and one waiter for the next change. */
class Call implements Undici.Dispatcher.DispatchHandler {
  status = 0
  headers: Readonly<Record<string, string>> = {}
  controller: Controller | undefined
  /** What came and was not pulled yet. */
  waiting: Array<Uint8Array> = []
  private size = 0
  /** The reader wants all of it at once. */
  private whole = false
  private ended = false
  private gone = false
  private failure: ClaudeError | undefined
  private resume: Resume | undefined
  private waking = false
  private readonly options: ExchangeOptions

  constructor(options: ExchangeOptions) {
    this.options = options
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
    if (this.gone) controller.abort(aborted)
  }

  onResponseStart(
    _: Controller,
    status: number,
    headers: Readonly<Record<string, string | Array<string> | undefined>>
  ) {
    // Interim answers (1xx) come before the real one.
    if (status < 200) return
    this.status = status
    this.headers = plain(headers)
    this.wakeLater()
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.waiting.push(chunk)
    if (this.whole) return
    this.size += chunk.length
    if (this.size > highWater) controller.pause()
    this.wakeLater()
  }

  onResponseEnd(): void {
    this.ended = true
    this.wakeLater()
  }

  onResponseError(_: Controller, error: Error): void {
    this.failure = this.errorOf(error)
    this.wakeLater()
  }

  leave(): void {
    this.gone = true
    if (!this.ended && this.failure === undefined) this.controller?.abort(aborted)
  }

  /** Done when the head is there. */
  readonly head: Effect.Effect<void, ClaudeError> = Effect.suspend(() => {
    if (this.failure !== undefined) return Effect.fail(this.failure)
    return this.status > 0 ? Effect.void : Effect.andThen(this.change, this.head)
  })

  readonly chunks: Exchange["chunks"] = Effect.suspend(() => {
    const { waiting } = this
    if (Arr.isReadonlyArrayNonEmpty(waiting)) {
      this.take()
      return Effect.succeed(waiting)
    }
    if (this.failure !== undefined) return Effect.fail(this.failure)
    return this.ended ? Cause.done() : Effect.andThen(this.change, this.chunks)
  })

  readonly bytes: Exchange["bytes"] = Effect.suspend(() => {
    if (this.failure !== undefined) return Effect.fail(this.failure)
    if (this.ended) {
      const [only] = this.waiting
      return Effect.succeed(this.waiting.length === 1 && only !== undefined ? only : Buffer.concat(this.waiting))
    }
    this.whole = true
    this.resumeReading()
    return Effect.andThen(this.change, this.bytes)
  })

  private readonly change: Effect.Effect<void> = Effect.callback((resume) => {
    this.resume = resume
    return Effect.sync(() => {
      this.resume = undefined
    })
  })

  /** One packet may hold the head, many chunks and the end, and undici tells of each: they go on together. */
  private wakeLater(): void {
    if (this.resume === undefined || this.waking) return
    this.waking = true
    queueMicrotask(this.wakeNow)
  }

  private readonly wakeNow = (): void => {
    this.waking = false
    this.wake()
  }

  private wake(): void {
    const resume = this.resume
    if (resume === undefined) return
    this.resume = undefined
    resume(Effect.void)
  }

  private take(): void {
    this.waiting = []
    this.size = 0
    this.resumeReading()
  }

  private resumeReading(): void {
    if (this.controller?.paused === true) this.controller.resume()
  }

  private errorOf(error: unknown): ClaudeError {
    const code = codeOf(error)
    if (code === "UND_ERR_HEADERS_TIMEOUT") {
      return new ClaudeError({ reason: new TimedOut({ afterMillis: Math.ceil(this.options.answerMillis) }) })
    }
    if (code === "UND_ERR_BODY_TIMEOUT") {
      return new ClaudeError({ reason: new TimedOut({ afterMillis: this.options.idleMillis }) })
    }
    return this.status === 0
      ? new ClaudeError({ reason: new Unreachable({ detail: detailOf(error) }) })
      : new ClaudeError({ reason: new StreamBroken({ detail: detailOf(error), body: null }) })
  }
}

const maxTimer = 2 ** 31 - 1

const dispatched = (options: ExchangeOptions): Call => {
  const call = new Call(options)
  options.dispatcher.dispatch(
    {
      origin: options.origin,
      path: options.path,
      method: options.method,
      headers: options.headers,
      body: options.body,
      headersTimeout: Math.min(options.answerMillis, maxTimer),
      bodyTimeout: options.idleMillis
    },
    call
  )
  return call
}

/** Sends one request and answers when the response's head is there. Closing the scope aborts it. */
export const exchange = (options: ExchangeOptions): Effect.Effect<Exchange, ClaudeError, Scope.Scope> =>
  // Not acquireRelease: its finalizer copies the whole context.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const call = dispatched(options)
      const left = Scope.addFinalizer(
        scope,
        Effect.sync(() => call.leave())
      )
      return Effect.map(Effect.andThen(left, restore(call.head)), () => ({
        status: call.status,
        headers: call.headers,
        chunks: call.chunks,
        bytes: call.bytes
      }))
    })
  )
