import { Effect, Exit, Fiber } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { consumed } from "../domain/Usage.ts"
import type { Base } from "./Base.ts"
import { makeAttempts } from "./Billing.ts"
import type { GovernedAnswer, GovernorError } from "./Governed.ts"
import { callOptions, type Job, leadersOwn, shareable } from "./Job.ts"

/** Whole answers. */
export interface Answers {
  /** Joins an identical request in flight, or asks upstream. */
  readonly fetch: (job: Job) => Effect.Effect<GovernedAnswer, GovernorError>
  /** An identical request for a whole answer is on its way. */
  readonly inFlight: (job: Job) => boolean
}

export const makeAnswers = Effect.fnUntraced(function* (base: Base) {
  const { accounts, claude, degraded, home, reception } = base
  const cache = yield* ResponseCache
  const leading = new Map<string, Job>()

  const attempt = Effect.fnUntraced(function* (job: Job) {
    job.led = true
    const account = yield* accounts.open(job)
    job.sent = true
    const { failed, onAttempt } = makeAttempts(reception, job, account, account.expected.output)
    const exit = yield* Effect.exit(Effect.interruptible(claude.send(job.request, callOptions(job, onAttempt))))
    if (Exit.isFailure(exit)) {
      yield* failed(exit.cause)
      return yield* Effect.failCause(exit.cause)
    }
    yield* account.begun
    const { headers, message } = exit.value
    const whole = Effect.suspend(() =>
      account.settle({ usage: consumed(message.usage), partial: false, api: message.usage })
    )
    const settlement = yield* Effect.onError(whole, (cause) => failed(cause))
    yield* reception.store(job, message)
    return { message, headers, settlement } satisfies GovernedAnswer
  })

  /** The lead that the cache runs once for all who ask the same. */
  const lead = (job: Job, key: string) =>
    Effect.suspend(() => {
      leading.set(key, job)
      return Effect.ensuring(
        Effect.uninterruptible(attempt(job)),
        Effect.sync(() => leading.delete(key))
      )
    })

  const shared = (job: Job, key: string): Effect.Effect<GovernedAnswer, GovernorError> =>
    degraded
      .instead(
        "response cache (sharing)",
        () => cache.coalesce(key, lead(job, key), { notShared: leadersOwn }),
        // Before anybody led, this request can still go alone.
        () =>
          job.led
            ? undefined
            : Effect.map(Effect.uninterruptible(attempt(job)), (value) => ({ value, coalesced: false }))
      )
      .pipe(
        Effect.interruptible,
        Effect.flatMap(({ value, coalesced }) =>
          coalesced
            ? Effect.map(accounts.saved(job, value.message.usage, "coalesced"), (settlement) => ({
                ...value,
                settlement
              }))
            : Effect.succeed(value)
        )
      )

  /** Who leads what this job waits for. */
  const leaderOf = (job: Job): Job => (shareable(job) ? leading.get(job.key) : undefined) ?? job

  /**
   * Runs the request in a fiber of its own. Who leaves before anything was sent takes it along; afterwards it goes on to
   * its end: a whole answer tells its price only then, and a second try finds it in flight or in the cache.
   */
  const fetch: Answers["fetch"] = (job) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const work = shareable(job) ? shared(job, job.key) : attempt(job)
        job.waiting++
        const fiber = yield* Effect.forkIn(work, home, { startImmediately: true, uninterruptible: true })
        const leader = leaderOf(job)
        if (leader !== job) leader.waiting++
        const left = Effect.suspend(() => {
          leader.waiting--
          return leader.sent || job.sent ? Effect.void : Fiber.interrupt(fiber)
        })
        return yield* Effect.onInterrupt(restore(Fiber.join(fiber)), () => left)
      })
    )

  return { fetch, inFlight: (job) => shareable(job) && leading.has(job.key) } satisfies Answers
})
