import { Channel, Clock, Duration, Effect, Exit, Pull, Random, Schedule, Scope, Stream } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { type BreakerOptions, makeGuard } from "./Breaker.ts"
import type { ClaudeError } from "./ClaudeError.ts"
import type { AttemptEvent, CallOptions, ClaudeService, ClaudeStream } from "./ClaudeService.ts"
import { broken } from "./EventGuard.ts"
import { errorType } from "./Refusal.ts"

export interface RetryOptions {
  /** Attempts of one call, the first included. */
  readonly maxAttempts: number
  /** No attempt starts later than this after the first one; a longer `retry-after` fails at once. */
  readonly maxElapsed: Duration.Input
  /** The first wait; doubles with every attempt, jittered by a fifth. */
  readonly base: Duration.Input
  /** The longest wait of our own; upstream's `retry-after` may be longer. */
  readonly maxDelay: Duration.Input
  /** A circuit that closes again within this time is waited for; otherwise the call fails at once. */
  readonly patience: Duration.Input
  readonly breaker: BreakerOptions
}

export const defaultRetry: RetryOptions = {
  maxAttempts: 6,
  maxElapsed: "2 minutes",
  base: "500 millis",
  maxDelay: "20 seconds",
  patience: "5 seconds",
  breaker: { failures: 10, openFor: "1 second", probeFor: "15 seconds" }
}

const transientTypes: ReadonlySet<unknown> = new Set([
  undefined,
  "overloaded_error",
  "api_error",
  "timeout_error",
  "rate_limit_error"
])

/** Whether the same call may go better the next time, and cannot do harm. */
const isTransient = ({ reason }: ClaudeError, patienceMillis: number): boolean => {
  if (reason._tag === "CircuitOpen") return reason.because !== "spend" && reason.retryAfterMillis <= patienceMillis
  if (reason._tag === "RateLimited" && reason.kind === "spend") return false
  const wish = "headers" in reason ? reason.headers["x-should-retry"] : undefined
  if (wish === "true" || wish === "false") return wish === "true"
  if (reason._tag === "StreamBroken") {
    const type = errorType(reason.body)
    return transientTypes.has(type) && (type !== undefined || reason.answered !== true)
  }
  return reason._tag !== "Rejected"
}

const retryAfterOf = ({ reason }: ClaudeError): number =>
  "retryAfterMillis" in reason ? (reason.retryAfterMillis ?? 0) : 0

/** Upstream may have worked on what it never finished answering. */
const billedOf = ({ reason }: ClaudeError): "no" | "unknown" =>
  reason._tag === "TimedOut" ||
  reason._tag === "StreamBroken" ||
  (reason._tag === "Unreachable" && reason.sent !== false)
    ? "unknown"
    : "no"

/** Exponential with jitter; never shorter than `retry-after`, which is spread a little so that waiters do not return as one. */
const backoff = ({ base, maxDelay }: RetryOptions) =>
  Schedule.exponential(base).pipe(
    Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.fromInputUnsafe(maxDelay)))),
    Schedule.jittered,
    Schedule.setInputType<ClaudeError>(),
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.map(Random.next, (random) =>
        Duration.max(duration, Duration.millis(retryAfterOf(input) * (1 + random / 10)))
      )
    )
  )

const numbered = (options: CallOptions | undefined, attempt: () => number): CallOptions | undefined => {
  const tell = options?.onAttempt
  return tell === undefined
    ? options
    : { ...options, onAttempt: (event: AttemptEvent) => tell({ ...event, attempt: attempt() }) }
}

type Attempt<A, R> = (options: CallOptions | undefined) => Effect.Effect<A, ClaudeError, R>

const makeRepeat = (settings: RetryOptions) => {
  const schedule = backoff(settings)
  const maxElapsed = Duration.toMillis(Duration.fromInputUnsafe(settings.maxElapsed))
  const patience = Duration.toMillis(Duration.fromInputUnsafe(settings.patience))
  return <A, R>(attempt: Attempt<A, R>, options: CallOptions | undefined): Effect.Effect<A, ClaudeError, R> =>
    Effect.flatMap(Clock.currentTimeMillis, (start) => {
      let made = 0
      const onward = numbered(options, () => made)
      const once = Effect.suspend(() => {
        made++
        return attempt(onward)
      })
      // Nearly every call needs one attempt: the schedule begins when that has failed.
      return Effect.catch(once, (error) => {
        const goOn = Effect.fnUntraced(function* (error: ClaudeError) {
          const now = yield* Clock.currentTimeMillis
          const inTime = now - start + retryAfterOf(error) <= maxElapsed
          if (!inTime || !isTransient(error, patience)) return false
          if (error.reason._tag === "CircuitOpen") {
            // Nothing was sent: this was no attempt.
            made--
            return true
          }
          if (made >= settings.maxAttempts) return false
          const abandoned = { _tag: "Abandoned", attempt: made, error, billed: billedOf(error) } as const
          yield* onward?.onAttempt?.(abandoned) ?? Effect.void
          return true
        })
        let failed: ClaudeError | undefined = error
        const next = Effect.suspend(() => {
          if (failed === undefined) return once
          const first = failed
          failed = undefined
          return Effect.fail(first)
        })
        return Effect.retry(next, { schedule, while: goOn })
      })
    })
}

type Batch = readonly [StreamEvent, ...Array<StreamEvent>]

/** Reads until something other than a ping is there; the stream that comes back begins with what was read. */
const begun = Effect.fnUntraced(function* (
  stream: ClaudeStream
): Effect.fn.Return<ClaudeStream, ClaudeError, Scope.Scope> {
  // Not Stream.toPull: that locks, and copies the whole context, at every pull; here is one reader.
  const pull = yield* Channel.toPullScoped(Stream.toChannel(stream.events), yield* Effect.scope)
  const next = Pull.catchDone(pull, () => Effect.fail(broken("it ended before it began")))
  let read: Batch | undefined
  do {
    const [first, ...rest] = yield* next
    read = read === undefined ? [first, ...rest] : [read[0], ...read.slice(1), first, ...rest]
  } while (read.every((event) => event.type === "ping"))
  let unread: Batch | undefined = read
  const resumed = Effect.suspend((): Pull.Pull<Batch, ClaudeError> => {
    if (unread === undefined) return Effect.map(pull, ([first, ...rest]) => [first, ...rest] as const)
    const batch = unread
    unread = undefined
    return Effect.succeed(batch)
  })
  return { ...stream, events: Stream.fromPull(Effect.succeed(resumed)) }
})

/** An attempt in a scope of its own, which ends with the attempt if that fails, and with the caller's otherwise. */
const scopedAttempt = Effect.fnUntraced(function* <A>(
  attempt: Effect.Effect<A, ClaudeError, Scope.Scope>
): Effect.fn.Return<A, ClaudeError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  return yield* Scope.provide(attempt, scope).pipe(
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
  )
})

/**
 * Retry and circuit breaker around a `Claude`: only what is safe and may help is tried again (rate and ramp limits, 529,
 * other 5xx, lost connections), streams only before their first event reached the caller, `retry-after` and
 * `x-should-retry` are obeyed. A spend limit is never retried and keeps its key's calls back until it may be lifted.
 */
export const makeRetrying = Effect.fnUntraced(function* (
  inner: ClaudeService,
  settings: RetryOptions = defaultRetry
): Effect.fn.Return<ClaudeService, never, CircuitBreaker.CircuitBreakerStore | Scope.Scope> {
  const guard = yield* makeGuard(settings.breaker)
  const repeat = makeRepeat(settings)
  return {
    kind: inner.kind,
    relay: inner.relay,
    failing: guard.failing,
    send: (request, options) =>
      repeat((onward) => guard.run(inner.send(request, onward), request.model, options), options),
    countTokens: (request, options) =>
      repeat((onward) => guard.run(inner.countTokens(request, onward), request.model, options), options),
    stream: (request, options) =>
      repeat((onward) => {
        const opened = scopedAttempt(Effect.flatMap(inner.stream(request, onward), begun))
        return guard.run(opened, request.model, options)
      }, options)
  }
})
