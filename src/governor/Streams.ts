import { Deferred, Effect, Scope, Stream } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import type { ClaudeError } from "../claude/ClaudeError.ts"
import { replay } from "../domain/AnswerReplay.ts"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import type { Base } from "./Base.ts"
import { type Flight, openFlight } from "./Flight.ts"
import type { GovernedAnswer, GovernedStream, GovernorError, Settlement } from "./Governed.ts"
import { type Job, leadersOwn, shareable } from "./Job.ts"
import { nothingOf } from "./Outcome.ts"

/** Streamed answers; identical ones share one upstream stream. */
export interface Streams {
  readonly open: (job: Job) => Effect.Effect<GovernedStream, GovernorError, Scope.Scope>
  /** The whole answer of an identical stream that is in flight; undefined when there is none, or it cannot be shown. */
  readonly joined: (job: Job) => Effect.Effect<GovernedAnswer | undefined, GovernorError>
  /** A whole answer as a stream. */
  readonly replayed: (job: Job, answer: GovernedAnswer) => GovernedStream
}

/** A place in a flight, one's own or another's. */
interface Seat {
  readonly head: Flight
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
  readonly coalesced: boolean
}

export const makeStreams = Effect.fnUntraced(function* (base: Base) {
  const { accounts, degraded, home } = base
  const cache = yield* ResponseCache
  const leading = new Set<string>()

  const alone = (job: Job): Effect.Effect<Seat, GovernorError, Scope.Scope> =>
    Effect.map(
      openFlight(base, job, () => undefined),
      (head) => ({ head, events: head.events, coalesced: false })
    )

  const lead = (job: Job, key: string) =>
    Effect.suspend(() => {
      const landed = () => {
        leading.delete(key)
      }
      leading.add(key)
      return openFlight(base, job, landed).pipe(
        Effect.map((head): { head: Flight; events: Stream.Stream<StreamEvent, GovernorError> } => ({
          head,
          events: head.events
        })),
        Effect.onError(() => Effect.sync(landed))
      )
    })

  const shared = (job: Job, key: string): Effect.Effect<Seat, GovernorError, Scope.Scope> =>
    Effect.flatMap(Effect.scope, (scope) =>
      degraded.instead(
        "response cache (sharing)",
        () =>
          cache.coalesceStream(key, lead(job, key), { notShared: leadersOwn }).pipe(
            // Budget and limiter speak before a stream is open; once it is, only upstream can break it.
            Effect.map((seat) => ({ ...seat, events: seat.events as Seat["events"] })),
            Scope.provide(scope)
          ),
        // Before anybody led, this request can still go alone.
        () => (job.led ? undefined : Scope.provide(alone(job), scope))
      )
    )

  /** Books for somebody who joined: what the whole answer would have cost, if it stayed until it was whole. */
  const passenger = Effect.fnUntraced(function* (job: Job, flight: Flight) {
    const settled = Deferred.makeUnsafe<Settlement>()
    let left = false
    yield* Scope.addFinalizer(
      yield* Effect.scope,
      Effect.sync(() => {
        left = true
        Deferred.doneUnsafe(settled, Effect.succeed(nothingOf(job)))
      })
    )
    const booking = Effect.gen(function* () {
      const { message } = yield* Effect.interruptible(flight.landed)
      if (left) return
      const settlement = message ? yield* accounts.saved(job, message.usage, "coalesced") : nothingOf(job)
      Deferred.doneUnsafe(settled, Effect.succeed(settlement))
    })
    yield* Effect.forkIn(booking, home, { startImmediately: true, uninterruptible: true })
    return Deferred.await(settled)
  })

  const seated = Effect.fnUntraced(function* (job: Job) {
    const { coalesced, events, head } = yield* shareable(job) ? shared(job, job.key) : alone(job)
    const own = Effect.map(head.landed, (landing) => landing.settlement)
    const stream: GovernedStream = {
      requestId: job.requestId,
      model: job.model.id,
      queueMillis: coalesced ? 0 : head.queueMillis,
      cache: coalesced ? "coalesced" : job.key === undefined ? "bypass" : "miss",
      headers: head.headers,
      events,
      settlement: coalesced ? yield* passenger(job, head) : own
    }
    return { stream, landed: head.landed }
  })

  const joined: Streams["joined"] = (job) =>
    Effect.suspend(() => {
      if (!shareable(job) || !leading.has(job.key)) return Effect.undefined
      return Effect.scoped(
        Effect.gen(function* () {
          const { landed, stream } = yield* seated(job)
          yield* Stream.runDrain(stream.events)
          const { message } = yield* landed
          return message && { message, headers: stream.headers, settlement: yield* stream.settlement }
        })
      )
    })

  const replayed: Streams["replayed"] = (job, answer) => ({
    requestId: job.requestId,
    model: job.model.id,
    cache: answer.settlement.cache,
    queueMillis: answer.settlement.queueMillis,
    headers: answer.headers,
    answer: answer.message,
    events: replay(answer.message),
    settlement: Effect.succeed(answer.settlement)
  })

  return { open: (job) => Effect.map(seated(job), ({ stream }) => stream), joined, replayed } satisfies Streams
})
