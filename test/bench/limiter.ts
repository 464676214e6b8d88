/**
 * What the limiter costs: one decision (arrive, be chosen, admitted and closed) with many waiting, and one reservation
 * through the service, fiber and scope included.
 *
 *     node test/bench/limiter.ts
 */
import { Console, Effect, Exit, Fiber, Scope } from "effect"
import { Admission } from "../../src/limits/Admission.ts"
import { defaultLimits } from "../../src/limits/Limits.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"

const rounds = 7
const admissions = 20_000
const model = "claude-sonnet-5-5"

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Microseconds of this thread's processor time: what others do on the machine at the same time does not count. */
const spent = (): number => {
  const { system, user } = process.threadCpuUsage()
  return user + system
}

const asks = (tenants: number) => {
  let n = 0
  return () => {
    n += 1
    const caller = { tenant: `t${n % tenants}`, agent: `a${n % 13}`, priority: "normal" } as const
    return { model, caller, inputTokens: 500 + ((n * 7_919) % 2_000), outputTokens: 0 }
  }
}

/** Microseconds per admission while `waiting` requests stay in the queue, in virtual time. */
const decisions = (waiting: number, tenants: number): number => {
  const admission = new Admission({ ...defaultLimits, maxQueued: Number.POSITIVE_INFINITY })
  const ask = asks(tenants)
  for (let n = 0; n < waiting; n++) admission.enqueue(0, ask())
  let now = 0
  const started = spent()
  for (let done = 0; done < admissions; ) {
    const ticket = admission.next(now)
    if (ticket === undefined) {
      now = Math.ceil(admission.wakeAt)
      continue
    }
    admission.admit(now, ticket)
    admission.enqueue(now, ask())
    if (done % 2 === 0) admission.close(now, ticket)
    done += 1
  }
  return (spent() - started) / admissions
}

const usage = { input: 10, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 1 }

/** Microseconds per reserve, settle and close when nothing waits. */
const uncontended = Effect.gen(function* () {
  const limiter = yield* TokenRateLimiter
  const ask = asks(10)
  const one = Effect.scoped(
    Effect.flatMap(limiter.reserve({ ...ask(), inputTokens: 10 }), (reservation) => limiter.settle(reservation, usage))
  )
  const started = spent()
  for (let n = 0; n < admissions; n++) yield* one
  return (spent() - started) / admissions
}).pipe(Effect.provide(TokenRateLimiter.layerOf({ inputPerMinute: 1e12 })))

/** Microseconds to add a request to 10,000 waiting fibers, and to interrupt it again. */
const contended = Effect.gen(function* () {
  const limiter = yield* TokenRateLimiter
  const scope = yield* Scope.make()
  const ask = asks(100)
  yield* Scope.provide(limiter.reserve({ ...ask(), inputTokens: 10_000 }), scope)
  const wait = () => Effect.forkChild(Effect.scoped(limiter.reserve(ask())), { startImmediately: true })
  const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), wait)
  const started = spent()
  for (let n = 0; n < admissions; n++) yield* Fiber.interrupt(yield* wait())
  const elapsed = (spent() - started) / admissions
  yield* Fiber.interruptAll(fibers)
  yield* Scope.close(scope, Exit.void)
  return elapsed
}).pipe(Effect.provide(TokenRateLimiter.layerOf({ inputPerMinute: 10_000, maxQueued: 100_000 })))

const line = (name: string, micros: number) => Console.log(`${name.padEnd(58)} ${micros.toFixed(2).padStart(8)} µs`)

const main = Effect.gen(function* () {
  for (const tenants of [1, 100, 5_000]) {
    for (const waiting of [100, 10_000, 100_000]) {
      const values = Array.from({ length: rounds }, () => decisions(waiting, tenants))
      yield* line(`decision, ${waiting} waiting of ${tenants} tenants`, median(values))
    }
  }
  const free: Array<number> = []
  const full: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    free.push(yield* uncontended)
    full.push(yield* contended)
  }
  yield* line("reserve, settle, close through the service", median(free))
  yield* line("join 10,000 waiting fibers and be interrupted", median(full))
})

await Effect.runPromise(main)
