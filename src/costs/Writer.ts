import { Effect, Exit, Fiber, Option, Schedule } from "effect"
import type { Events } from "../events/Events.ts"
import { LedgerError } from "./Records.ts"

/** A write that was begun. It goes on until it succeeds, whoever waits for it. */
export interface Write<A> {
  /** What it answered; none when it takes longer than a request should wait for its accounting. */
  readonly wait: Effect.Effect<Option.Option<A>>
  /** Gives up, unless it is done. */
  readonly abandon: () => void
}

export interface Writer {
  /** Begins a write of so many entries, one by default. */
  readonly begin: <A>(write: Effect.Effect<A, LedgerError>, entries?: number) => Write<A>
  /** Entries of writes that are begun and not done. */
  readonly unwritten: () => number
}

const backoff = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)
const patience = "2 seconds"
const lastChance = "5 seconds"

/**
 * Writes that do not fail: tried again until the ledger takes them, which is announced as `degraded` while it does not.
 * A healthy ledger is waited for; one in trouble holds nobody up. When the scope closes, what is left gets five seconds.
 */
export const makeWriter = Effect.fnUntraced(function* (events: Events["Service"]) {
  const context = yield* Effect.context<never>()
  const running = new Set<Fiber.Fiber<unknown>>()
  let unwritten = 0
  let failing = 0
  let degraded = false

  const alert = (_tag: "AlertRaised" | "AlertCleared", message: string) =>
    events.publish({ _tag, alert: { kind: "degraded", severity: "critical", subject: "ledger", message } })

  const raise = (reason: string) => {
    failing++
    if (degraded) return Effect.void
    degraded = true
    return Effect.andThen(
      Effect.logError(`The cost ledger cannot be written: ${reason}. It is tried again; requests go on.`),
      alert("AlertRaised", `The cost ledger cannot be written: ${reason}. Check the database.`)
    )
  }

  /** Only a write that went through shows that the ledger is well again. */
  const recovered = Effect.suspend(() => {
    if (!degraded || failing > 0) return Effect.void
    degraded = false
    return alert("AlertCleared", "The cost ledger is written again.")
  })

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Fiber.awaitAll([...running]).pipe(Effect.timeoutOption(lastChance))
      if (running.size === 0) return
      yield* Effect.logError(`${unwritten} entries could not be written to the cost ledger before the end.`)
      yield* Fiber.interruptAll([...running])
    })
  )

  const begin = <A>(write: Effect.Effect<A, LedgerError>, entries = 1): Write<A> => {
    let failed = false
    const fail = (reason: string) =>
      Effect.suspend(() => {
        if (failed) return Effect.void
        failed = true
        return raise(reason)
      })
    const fiber = Effect.runForkWith(context)(
      write.pipe(
        Effect.catchDefect((defect) =>
          Effect.fail(new LedgerError({ operation: "be written", reason: String(defect) }))
        ),
        Effect.tapError((error) => fail(error.reason)),
        Effect.retry(backoff),
        // The schedule has no end, so neither has this.
        Effect.orDie,
        Effect.onExit((exit) => {
          if (failed) failing--
          return Exit.isSuccess(exit) ? recovered : Effect.void
        })
      )
    )
    running.add(fiber)
    unwritten += entries
    fiber.addObserver(() => {
      running.delete(fiber)
      unwritten -= entries
    })
    const slow = Effect.suspend(() => (running.has(fiber) ? fail("it takes too long") : Effect.void))
    const patiently = Fiber.await(fiber).pipe(
      Effect.timeoutOption(patience),
      Effect.tap((exit) => (Option.isNone(exit) ? slow : Effect.void)),
      Effect.map(Option.flatMap(Exit.getSuccess))
    )
    const wait = Effect.suspend(() => {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return Effect.succeed(Exit.getSuccess(exit))
      return degraded ? Effect.succeedNone : patiently
    })
    return { wait, abandon: () => fiber.interruptUnsafe() }
  }

  const writer: Writer = { begin, unwritten: () => unwritten }
  return writer
})
