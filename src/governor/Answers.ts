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

/** Interruptible again, where the caller is. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

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

  /** A fiber that lives on when whoever asked has left. */
  const atHome = <A, E>(work: Effect.Effect<A, E>) =>
    Effect.forkIn(work, home, { startImmediately: true, uninterruptible: true })

  /** The lead that the cache runs once for all who ask the same. */
  const lead = (job: Job, key: string) =>
    Effect.suspend(() => {
      leading.set(key, job)
      return Effect.ensuring(
        attempt(job),
        Effect.sync(() => leading.delete(key))
      )
    })

  const alone = (job: Job, restore: Restore) =>
    Effect.flatMap(atHome(attempt(job)), (fiber) =>
      Effect.onInterrupt(restore(Fiber.join(fiber)), () => (job.sent ? Effect.void : Fiber.interrupt(fiber)))
    )

  const shared = (job: Job, key: string, restore: Restore): Effect.Effect<GovernedAnswer, GovernorError> =>
    Effect.flatMap(
      restore(
        degraded.instead(
          "response cache (sharing)",
          () => cache.coalesce(key, lead(job, key), { notShared: leadersOwn, fork: atHome, keep: () => job.sent }),
          // Before anybody led, this request can still go alone.
          () =>
            job.led
              ? undefined
              : Effect.uninterruptibleMask((inner) =>
                  Effect.map(alone(job, inner), (value) => ({ value, coalesced: false }))
                )
        )
      ),
      ({ value, coalesced }) =>
        coalesced
          ? Effect.map(accounts.saved(job, value.message.usage, "coalesced"), (settlement) => ({
              ...value,
              settlement
            }))
          : Effect.succeed(value)
    )

  /** Who leads what this job waits for. */
  const leaderOf = (job: Job): Job => (shareable(job) ? leading.get(job.key) : undefined) ?? job

  /**
   * Runs the request in a fiber of its own. Who leaves before anything was sent takes it along; afterwards it goes on to
   * its end: a whole answer tells its price only then, and a second try finds it in flight or in the cache.
   */
  const fetch: Answers["fetch"] = (job) =>
    Effect.uninterruptibleMask((restore) => {
      const leader = leaderOf(job)
      const wait = (change: 1 | -1) => {
        job.waiting += change
        if (leader !== job) leader.waiting += change
      }
      wait(1)
      const work = shareable(job) ? shared(job, job.key, restore) : alone(job, restore)
      return Effect.onInterrupt(work, () => Effect.sync(() => wait(-1)))
    })

  return { fetch, inFlight: (job) => shareable(job) && leading.has(job.key) } satisfies Answers
})
