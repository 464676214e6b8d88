import { Effect, Exit, Fiber } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { fromApi } from "../domain/Usage.ts"
import type { Base } from "./Base.ts"
import { billing } from "./Billing.ts"
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
    const exit = yield* Effect.exit(Effect.interruptible(claude.send(job.request, callOptions(job))))
    if (Exit.isFailure(exit)) {
      yield* reception.observeFailure(job, exit.cause)
      yield* billing(account, exit.cause, { output: account.expected.output })
      return yield* Effect.failCause(exit.cause)
    }
    const { message, status, headers } = exit.value
    yield* reception.observe(job, status, headers)
    const settlement = yield* account.settle({ usage: fromApi(message.usage), partial: false, api: message.usage })
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

  /** Also true for a follower whose leader has been sent: who stays with it keeps it in flight. */
  const sent = (job: Job): boolean => job.sent || (shareable(job) && leading.get(job.key)?.sent === true)

  /**
   * Runs the request in a fiber of its own. Who leaves before anything was sent takes it along; afterwards it goes on to
   * its end: a whole answer tells its price only then, and a second try finds it in flight or in the cache.
   */
  const fetch: Answers["fetch"] = (job) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.forkIn(shareable(job) ? shared(job, job.key) : attempt(job), home, {
          startImmediately: true,
          uninterruptible: true
        }),
        (fiber) =>
          Effect.onInterrupt(restore(Fiber.join(fiber)), () => (sent(job) ? Effect.void : Fiber.interrupt(fiber)))
      )
    )

  return { fetch, inFlight: (job) => shareable(job) && leading.has(job.key) } satisfies Answers
})
