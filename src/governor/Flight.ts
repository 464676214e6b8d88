import { Cause, Channel, Effect, Exit, Fiber, Pull, Scope, Stream } from "effect"
import type { ClaudeStream } from "../claude/Claude.ts"
import { ClaudeError, StreamBroken } from "../claude/ClaudeError.ts"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Account } from "./Account.ts"
import type { Base } from "./Base.ts"
import { type Attempts, makeAttempts } from "./Billing.ts"
import type { Billed } from "./Bookkeeping.ts"
import type { GovernorError } from "./Governed.ts"
import { callOptions, type Job } from "./Job.ts"
import { type Landed, type Landing, makeLanding } from "./Landing.ts"
import { makeStreamMeter, type StreamMeter } from "./StreamMeter.ts"

/** One streamed request under way. */
export interface Flight {
  readonly headers: ClaudeStream["headers"]
  readonly queueMillis: number
  readonly events: Stream.Stream<StreamEvent, ClaudeError>
  readonly landed: Effect.Effect<Landed>
}

type Chunk = readonly [StreamEvent, ...Array<StreamEvent>]
type Next = Effect.Effect<Chunk, ClaudeError | Cause.Done>

/** A stream that has begun. */
interface Begun {
  readonly headers: ClaudeStream["headers"]
  readonly queueMillis: number
  /** What came up to `message_start`. */
  readonly early: Array<Chunk>
  readonly next: Next
  /** Aborts upstream at once and settles what was received; nothing, if it is over. */
  readonly leave: Effect.Effect<void>
  readonly landed: Effect.Effect<Landed>
}

/** What belongs to one call from admission to settlement. */
interface Call {
  readonly account: Account
  readonly attempts: Attempts
  readonly meter: StreamMeter
  readonly landing: Landing
  readonly upstream: Scope.Closeable
}

const endedEarly = new ClaudeError({
  reason: new StreamBroken({ detail: "it ended before message_start", body: null })
})

/** What was received; where upstream has not said what the prompt costs (a compaction tells it last), the estimate. */
const received = ({ account, meter }: Call): Billed => {
  const billed = meter.billed(true)
  if (promptTokens(billed.usage) > 0) return billed
  return { usage: account.guess(Math.max(billed.usage.output, account.expected.output)), partial: true }
}

/** Aborts first, then counts: whoever left must not keep upstream writing. */
const abandon = (call: Call, cause: Cause.Cause<unknown>) => {
  const { account, attempts, landing, meter, upstream } = call
  const counted = Effect.suspend(() => (meter.started() ? account.settle(received(call)) : attempts.failed(cause)))
  return Effect.andThen(Scope.close(upstream, Exit.failCause(cause)), landing.land(counted))
}

/** Reads on. Settles before the last event goes out: who has seen the end sees the books closed. */
const reading = (call: Call, pull: Next): Next => {
  const { account, landing, meter } = call
  const whole = Effect.suspend(() => account.settle(meter.billed(false)))
  const read = (chunk: Chunk): Effect.Effect<Chunk> => {
    meter.read(chunk)
    const isLast = meter.stopped() && !landing.isTaken()
    return isLast ? Effect.as(landing.land(whole, meter.answer), chunk) : Effect.succeed(chunk)
  }
  return Effect.onError(Effect.flatMap(pull, read), (cause) => abandon(call, cause))
}

/** Opens the call and reads it up to `message_start`. */
const begin = Effect.fnUntraced(function* ({ claude }: Base, job: Job, call: Call) {
  const { attempts, meter, upstream } = call
  const opening = claude.stream(job.request, callOptions(job, attempts.onAttempt))
  const { events, headers } = yield* Scope.provide(opening, upstream)
  const next = reading(call, yield* Channel.toPullScoped(Stream.toChannel(events), upstream))
  const early: Array<Chunk> = []
  const first = Pull.catchDone(next, () => Effect.fail(endedEarly))
  while (!meter.started()) early.push(yield* first)
  return { headers, next, early }
})

/** Admission, and the call as far as `message_start`. To be run uninterruptibly. */
const takeOff = Effect.fnUntraced(function* (
  base: Base,
  job: Job,
  onLanded: () => void
): Effect.fn.Return<Begun, GovernorError> {
  const { accounts, aloft, reception } = base
  job.led = true
  const account = yield* accounts.open(job)
  job.sent = true
  const over = () => {
    aloft.delete(leave)
    onLanded()
  }
  const call: Call = {
    account,
    attempts: makeAttempts(reception, job, account, 0),
    meter: makeStreamMeter(job.model.tokenizer),
    landing: makeLanding((message) => reception.store(job, message), over),
    upstream: Scope.makeUnsafe()
  }
  const leave = abandon(call, Cause.interrupt())
  const begun = yield* Effect.onError(Effect.interruptible(begin(base, job, call)), (cause) => abandon(call, cause))
  yield* account.begun
  if (!call.landing.isTaken()) aloft.add(leave)
  if (job.waiting === 0) yield* leave
  return { ...begun, queueMillis: account.queueMillis, leave, landed: call.landing.landed }
})

/**
 * Opens one stream at upstream and follows it to its one settlement. Up to `message_start` it lives in `home`: who leaves
 * while it waits for admission takes it along, who leaves later lets it go on until upstream has said what the prompt
 * costs. From then on it belongs to the scope of whoever opened it: closing that aborts upstream at once and settles what
 * was received. `onLanded` runs when it is over, before anybody hears of it.
 */
export const openFlight = Effect.fnUntraced(function* (base: Base, job: Job, onLanded: () => void) {
  job.waiting = 1
  const leaveEarly = (fiber: Fiber.Fiber<Begun, unknown>) =>
    Effect.suspend(() => {
      job.waiting = 0
      if (!job.sent) return Fiber.interrupt(fiber)
      const exit = fiber.pollUnsafe()
      return exit !== undefined && Exit.isSuccess(exit) ? exit.value.leave : Effect.void
    })
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const starting = takeOff(base, job, onLanded)
      const fiber = yield* Effect.forkIn(starting, base.home, { startImmediately: true, uninterruptible: true })
      const begun = yield* Effect.onInterrupt(restore(Fiber.join(fiber)), () => leaveEarly(fiber))
      const { early, headers, landed, leave, next, queueMillis } = begun
      yield* Scope.addFinalizer(yield* Effect.scope, leave)
      const pull = Effect.suspend(() => {
        const chunk = early.shift()
        return chunk === undefined ? next : Effect.succeed(chunk)
      })
      const events = Stream.ensuring(Stream.fromPull(Effect.succeed(pull)), leave)
      return { headers, queueMillis, events, landed } satisfies Flight
    })
  )
})
