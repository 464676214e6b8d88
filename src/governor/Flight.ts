import { Cause, Channel, Deferred, Effect, Exit, Fiber, Pull, Scope, Stream } from "effect"
import type { ClaudeStream } from "../claude/Claude.ts"
import { ClaudeError, StreamBroken } from "../claude/ClaudeError.ts"
import { makeCollector } from "../domain/AnswerCollector.ts"
import type { AssistantMessage, StreamEvent } from "../domain/MessagesRequest.ts"
import { fromApi, zero as noUsage } from "../domain/Usage.ts"
import type { Account } from "./Account.ts"
import { afresh } from "./afresh.ts"
import type { Base } from "./Base.ts"
import { type Attempts, makeAttempts } from "./Billing.ts"
import type { Billed } from "./Bookkeeping.ts"
import type { Settlement } from "./Governed.ts"
import { callOptions, type Job } from "./Job.ts"

/** How a stream ended: what it cost, and the answer if it is whole and may be shown to others. */
export interface Landing {
  readonly settlement: Settlement
  readonly message: AssistantMessage | undefined
}

/** One streamed request under way. */
export interface Flight {
  readonly headers: ClaudeStream["headers"]
  readonly queueMillis: number
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
  readonly landed: Effect.Effect<Landing>
}

type Chunk = readonly [StreamEvent, ...Array<StreamEvent>]
type Next = Effect.Effect<Chunk, ClaudeError | Cause.Done>

/** Characters per output token, for what upstream could no longer count (reference: what Claude Code reckons with). */
const charsPerToken = { old: 4, new: 3 } as const

const endedEarly = new ClaudeError({
  reason: new StreamBroken({ detail: "it ended before message_start", body: null })
})

/** Reads a stream's events and keeps what is needed to settle it. */
const makeMeter = (job: Job) => {
  const collector = makeCollector()
  let started = false
  let stopped = false
  return {
    started: (): boolean => started,
    stopped: (): boolean => stopped,
    read: (chunk: Chunk): void => {
      for (const event of chunk) {
        collector.push(event)
        started ||= event.type === "message_start"
        stopped ||= event.type === "message_stop"
      }
    },
    /** Upstream's own figures; the output of a partial answer completed from what was received. */
    billed: (partial: boolean): Billed => {
      const { message, outputChars } = collector.collected()
      const usage = message === undefined ? noUsage : fromApi(message.usage)
      const seen = partial ? Math.ceil(outputChars / charsPerToken[job.model.tokenizer]) : 0
      return { usage: { ...usage, output: Math.max(usage.output, seen) }, partial, api: message?.usage }
    },
    answer: (): AssistantMessage | undefined => {
      const { complete, faithful, message } = collector.collected()
      return complete && faithful ? message : undefined
    }
  }
}

/**
 * Opens one stream at upstream and follows it to its one settlement. Up to `message_start` it lives in `home`: who leaves
 * while it waits for admission takes it along, who leaves later lets it go on until upstream has said what the prompt
 * costs. From then on it belongs to the scope of whoever opened it: closing that aborts upstream at once and settles what
 * was received. `onLanded` runs when it is over, before anybody hears of it.
 */
export const openFlight = Effect.fnUntraced(function* (base: Base, job: Job, onLanded: () => void) {
  job.waiting = 1
  const { accounts, aloft, claude, home, reception } = base
  const meter = makeMeter(job)
  const upstream = Scope.makeUnsafe()
  const landing = Deferred.makeUnsafe<Landing>()
  let claimed = false
  let leaving: Effect.Effect<void> | undefined

  const finish = Effect.fnUntraced(function* (
    settle: Effect.Effect<Settlement>,
    whole: () => AssistantMessage | undefined
  ) {
    const settlement = yield* settle
    const message = whole()
    if (message !== undefined) yield* reception.store(job, message)
    onLanded()
    if (leaving !== undefined) aloft.delete(leaving)
    Deferred.doneUnsafe(landing, Effect.succeed({ settlement, message }))
  })

  /** The only way to an end. Whoever comes second waits for the first. */
  const land = (settle: Effect.Effect<Settlement>, whole: () => AssistantMessage | undefined) =>
    Effect.suspend(() => {
      if (claimed) return Effect.asVoid(Effect.uninterruptible(Deferred.await(landing)))
      claimed = true
      return afresh(finish(settle, whole))
    })

  const nobody = () => undefined

  /** Aborts first, then counts: whoever left must not keep upstream writing. */
  const abandon = (account: Account, { failed }: Attempts, cause: Cause.Cause<unknown>) =>
    Effect.andThen(
      Scope.close(upstream, Exit.failCause(cause)),
      land(
        Effect.suspend(() => (meter.started() ? account.settle(meter.billed(true)) : failed(cause))),
        nobody
      )
    )

  /** Reads on. Settles before the last event goes out: who has seen the end sees the books closed. */
  const reading = (account: Account, attempts: Attempts, pull: Next): Next => {
    const read = (chunk: Chunk): Effect.Effect<Chunk> => {
      meter.read(chunk)
      if (!meter.stopped() || claimed) return Effect.succeed(chunk)
      return Effect.as(
        land(
          Effect.suspend(() => account.settle(meter.billed(false))),
          meter.answer
        ),
        chunk
      )
    }
    return Effect.onError(Effect.flatMap(pull, read), (cause) => abandon(account, attempts, cause))
  }

  const departure = Effect.fnUntraced(function* (account: Account, attempts: Attempts) {
    const opening = claude.stream(job.request, callOptions(job, attempts.onAttempt))
    const { events, headers } = yield* Scope.provide(opening, upstream)
    const next = reading(account, attempts, yield* Channel.toPullScoped(Stream.toChannel(events), upstream))
    const early: Array<Chunk> = []
    const first = Pull.catchDone(next, () => Effect.fail(endedEarly))
    while (!meter.started()) early.push(yield* first)
    return { headers, next, early, queueMillis: account.queueMillis }
  })

  const takeOff = Effect.gen(function* () {
    job.led = true
    const account = yield* accounts.open(job)
    job.sent = true
    const attempts = makeAttempts(reception, job, account, 0)
    const ready = yield* Effect.onError(Effect.interruptible(departure(account, attempts)), (cause) =>
      abandon(account, attempts, cause)
    )
    leaving = Effect.asVoid(abandon(account, attempts, Cause.interrupt()))
    if (!claimed) aloft.add(leaving)
    if (job.waiting === 0) yield* leaving
    return { ...ready, leave: leaving }
  })

  const leaveEarly = (fiber: Fiber.Fiber<{ readonly leave: Effect.Effect<void> }, unknown>) =>
    Effect.suspend(() => {
      job.waiting = 0
      if (!job.sent) return Fiber.interrupt(fiber)
      const exit = fiber.pollUnsafe()
      return exit !== undefined && Exit.isSuccess(exit) ? exit.value.leave : Effect.void
    })

  return yield* Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore) {
      const fiber = yield* Effect.forkIn(takeOff, home, { startImmediately: true, uninterruptible: true })
      const { early, headers, leave, next, queueMillis } = yield* Effect.onInterrupt(restore(Fiber.join(fiber)), () =>
        leaveEarly(fiber)
      )
      yield* Scope.addFinalizer(yield* Effect.scope, leave)
      const pull = Effect.suspend(() => {
        const chunk = early.shift()
        return chunk === undefined ? next : Effect.succeed(chunk)
      })
      const events = Stream.ensuring(Stream.fromPull(Effect.succeed(pull)), leave)
      return { headers, queueMillis, events, landed: Deferred.await(landing) } satisfies Flight
    })
  )
})
