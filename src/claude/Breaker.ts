import { createHash } from "node:crypto"
import { Duration, Effect, Exit, Fiber, Redacted, Schedule, Scope, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { CircuitOpen, ClaudeError, type ClaudeReason } from "./ClaudeError.ts"
import type { CallOptions } from "./ClaudeService.ts"

export interface BreakerOptions {
  /** Failures in a row, over all calls to one model family, that open the circuit. */
  readonly failures: number
  /** How long it stays open the first time; doubles with every opening that follows, up to a minute. */
  readonly openFor: Duration.Input
  /** A probe that has not failed after this long has succeeded, so that one long answer does not hold up all others. */
  readonly probeFor: Duration.Input
}

export interface Guard {
  /** Runs one attempt through the circuits; fails with `CircuitOpen` without running it when one is open. */
  readonly run: <A, R>(
    attempt: Effect.Effect<A, ClaudeError, R>,
    model: string,
    options: CallOptions | undefined
  ) => Effect.Effect<A, ClaudeError, R>
  /** Model families upstream failed for repeatedly, with no success since. */
  readonly failing: Effect.Effect<ReadonlyArray<string>>
}

const families = ["fable", "mythos", "opus", "sonnet", "haiku"]
/** Few keys whatever callers ask for: overload comes by model family. */
const familyOf = (model: string): string => families.find((family) => model.includes(family)) ?? "other"

/** A spend limit belongs to an organisation, which only its key tells. */
const payerOf = (options: CallOptions | undefined): string => {
  const key =
    options?.apiKey === undefined
      ? (options?.headers?.["x-api-key"] ?? options?.headers?.authorization)
      : Redacted.value(options.apiKey)
  return key === undefined ? "configured" : createHash("sha256").update(key).digest("base64").slice(0, 16)
}

type Attempt = Exit.Exit<unknown, ClaudeError>

const reasonOf = (exit: Attempt): ClaudeReason | undefined => {
  const error = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
  return error?._tag === "Some" ? error.value.reason : undefined
}

const failures: ReadonlySet<string> = new Set(["Overloaded", "ServerFault", "Unreachable", "TimedOut", "StreamBroken"])

/** A refusal shows that upstream is there. */
const availability = (exit: Attempt): CircuitBreaker.Outcome => {
  const reason = reasonOf(exit)
  if (reason === undefined) return Exit.isSuccess(exit) ? CircuitBreaker.success : CircuitBreaker.ignored
  if (!failures.has(reason._tag)) return CircuitBreaker.success
  const hint = "retryAfterMillis" in reason ? reason.retryAfterMillis : null
  return CircuitBreaker.failure(hint === null ? {} : { retryAfter: hint })
}

const spending = (exit: Attempt): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const reason = reasonOf(exit)
  return reason?._tag === "RateLimited" && reason.kind === "spend" ? CircuitBreaker.failure() : CircuitBreaker.ignored
}

/** Long enough for the probe that is under way to have an answer. */
const whileProbing = 1_000

const closed = (because: "failures" | "spend") => (error: CircuitBreaker.CircuitBreakerError | ClaudeError) => {
  if (error instanceof ClaudeError) return error
  const { reason } = error
  const millis = reason._tag === "CircuitOpen" ? Math.ceil(Duration.toMillis(reason.retryAfter)) : whileProbing
  return new ClaudeError({ reason: new CircuitOpen({ retryAfterMillis: millis, because }) })
}

/** A circuit around an attempt. */
type Through = <A, R>(attempt: Effect.Effect<A, ClaudeError, R>) => Effect.Effect<A, ClaudeError, R>

/** Lets the attempt run on, but reports it to the circuit as a success after `grace` if it has not failed by then. */
const graced = <A, R>(
  attempt: Effect.Effect<A, ClaudeError, R>,
  grace: Duration.Input,
  through: Through
): Effect.Effect<A, ClaudeError, R> =>
  Effect.acquireUseRelease(
    Scope.make(),
    (scope) => {
      const begun = Effect.gen(function* () {
        const fiber = yield* Effect.forkIn(attempt, scope, { startImmediately: true })
        yield* Effect.raceFirst(Fiber.join(fiber), Effect.sleep(grace))
        return fiber
      })
      return Effect.flatMap(through(begun), Fiber.join)
    },
    (scope, exit) => Scope.close(scope, exit)
  )

const logTransitions = (breaker: CircuitBreaker.CircuitBreaker, what: string) =>
  breaker.transitions.pipe(
    Stream.runForEach(({ from, key, to }) =>
      to === "Open"
        ? Effect.logWarning(`Upstream circuit (${what}) open for ${key}`)
        : Effect.logInfo(`Upstream circuit (${what}) ${from} → ${to} for ${key}`)
    ),
    Effect.forkScoped({ startImmediately: true })
  )

/** Two circuits: one per model family for failures, one per key for the spend limit. */
export const makeGuard = Effect.fnUntraced(function* (
  options: BreakerOptions
): Effect.fn.Return<Guard, never, CircuitBreaker.CircuitBreakerStore | Scope.Scope> {
  const upstream = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(options.failures),
    openDuration: Schedule.exponential(options.openFor).pipe(Schedule.upTo({ duration: "1 minute" }))
  })
  const spend = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(1),
    openDuration: Schedule.exponential("1 minute").pipe(Schedule.upTo({ duration: "1 hour" }))
  })
  yield* logTransitions(upstream, "failures")
  yield* logTransitions(spend, "spend limit")

  const guarded =
    (family: string, payer: string): Through =>
    <A, R>(attempt: Effect.Effect<A, ClaudeError, R>) => {
      const available = upstream.execute(attempt, { key: `upstream:${family}`, classify: availability })
      const told = Effect.mapError(available, closed("failures"))
      const paid = spend.execute(told, { key: `spend:${payer}`, classify: spending })
      return Effect.mapError(paid, closed("spend"))
    }

  /** Keys that have failed and not succeeded since. While there are none, no circuit need be asked. */
  const troubled = new Set<string>()

  /** Told to the circuits afterwards, if there is anything to tell. */
  const untroubled = <A, R>(attempt: Effect.Effect<A, ClaudeError, R>, family: string, payer: () => string) =>
    Effect.matchCauseEffect(attempt, {
      onSuccess: (value) =>
        troubled.size === 0
          ? Effect.succeed(value)
          : Effect.as(Effect.ignore(guarded(family, payer())(Effect.void)), value),
      onFailure: (cause): Effect.Effect<never, ClaudeError> => {
        const reason = reasonOf(Exit.failCause(cause))
        if (reason !== undefined && failures.has(reason._tag)) troubled.add(`upstream:${family}`)
        if (reason?._tag === "RateLimited" && reason.kind === "spend") troubled.add(`spend:${payer()}`)
        const failed = Effect.failCause(cause)
        return troubled.size === 0 ? failed : guarded(family, payer())(failed)
      }
    })

  const isCalm = (key: string, breaker: CircuitBreaker.CircuitBreaker) =>
    Effect.map(Effect.option(breaker.state(key)), (state) => state._tag === "None" || state.value._tag === "Closed")

  const isFailing = (family: string) =>
    troubled.has(`upstream:${family}`)
      ? Effect.map(isCalm(`upstream:${family}`, upstream), (calm) => !calm)
      : Effect.succeed(false)

  return {
    failing: Effect.filter([...families, "other"], isFailing),
    run: (attempt, model, callOptions) => {
      const family = familyOf(model)
      if (troubled.size === 0) return untroubled(attempt, family, () => payerOf(callOptions))
      const payer = payerOf(callOptions)
      const through = guarded(family, payer)
      const keys = [`upstream:${family}`, `spend:${payer}`] as const
      return Effect.flatMap(Effect.all([isCalm(keys[0], upstream), isCalm(keys[1], spend)]), ([up, paid]) =>
        Effect.tap(up && paid ? through(attempt) : graced(attempt, options.probeFor, through), () =>
          Effect.sync(() => {
            for (const key of keys) troubled.delete(key)
          })
        )
      )
    }
  }
})
