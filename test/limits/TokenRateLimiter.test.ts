import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Event } from "../../src/domain/Event.ts"
import { Events } from "../../src/events/Events.ts"
import { defaultLimits } from "../../src/limits/Limits.ts"
import { layerRequestRateMemory } from "../../src/limits/RequestRate.ts"
import { type Limits, type ReserveRequest, TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { between, limit, model, random, usageOf } from "./support.ts"

const layer = (limits: Partial<Limits> = {}) =>
  Layer.effect(
    TokenRateLimiter,
    Effect.gen(function* () {
      const { publish } = yield* Events
      return yield* TokenRateLimiter.make({ ...defaultLimits, ...limits }, publish)
    })
  ).pipe(Layer.provide(layerRequestRateMemory), Layer.provideMerge(Events.layerTest))

const ask = (inputTokens: number, more: Partial<ReserveRequest> = {}): ReserveRequest => ({
  model,
  caller: { tenant: "tenant", agent: "agent", priority: "normal" },
  inputTokens,
  outputTokens: 0,
  ...more
})

/** Reserves in a scope of its own, which the answer can close. */
const hold = Effect.fnUntraced(function* (request: ReserveRequest) {
  const limiter = yield* TokenRateLimiter
  const scope = yield* Scope.make()
  const reservation = yield* Scope.provide(limiter.reserve(request), scope)
  return { reservation, close: Scope.close(scope, Exit.void) }
})

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })
const used = Effect.gen(function* () {
  return (yield* (yield* TokenRateLimiter).stats).used
})
const eventsOf = <Tag extends Event["_tag"]>(tag: Tag) =>
  Effect.gen(function* () {
    const recent = yield* (yield* Events).recent
    return recent.filter((one) => one.event._tag === tag)
  })

describe("reserving", () => {
  it.effect("admits what fits at once and the rest when the window has room", () =>
    Effect.gen(function* () {
      const first = yield* hold(ask(300_000))
      assert.strictEqual(first.reservation.waitedMillis, 0)
      const second = yield* start(hold(ask(200_000)))
      yield* TestClock.adjust(59_999)
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust(1)
      const { reservation } = yield* Fiber.join(second)
      assert.strictEqual(reservation.waitedMillis, 60_000)
      assert.strictEqual(yield* used, 200_000)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("gives the tokens back with the scope when nothing was settled, and wakes whoever waits for them", () =>
    Effect.gen(function* () {
      const first = yield* hold(ask(300_000))
      const second = yield* start(hold(ask(200_000)))
      yield* TestClock.adjust(1_000)
      yield* first.close
      const { reservation } = yield* Fiber.join(second)
      assert.strictEqual(reservation.waitedMillis, 1_000)
      assert.strictEqual(yield* used, 200_000)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("corrects to the real usage once, cache reads not counted, and keeps it after the scope", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const { close, reservation } = yield* hold(ask(1_000, { outputTokens: 500 }))
      const usage = { input: 100, cacheWrite5m: 20, cacheWrite1h: 3, cacheRead: 90_000, output: 7 }
      yield* limiter.settle(reservation, usage)
      yield* limiter.settle(reservation, usageOf(9_999))
      yield* close
      const stats = yield* limiter.stats
      assert.strictEqual(stats.used, 123)
      assert.strictEqual(stats.outputUsed, 7)
      assert.strictEqual(stats.inFlight, 0)
      yield* limiter.settle(reservation, usageOf(9_999))
      assert.strictEqual(yield* used, 123)
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* used, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("refuses what can never be admitted at once, with what to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(hold(ask(limit + 1)))
      assert.strictEqual(error.reason, "TooLarge")
      assert.include(error.message, "400,000")
      assert.strictEqual(yield* used, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("bounds the queue, and leaves room in it for other tenants", () =>
    Effect.gen(function* () {
      yield* hold(ask(limit))
      for (let n = 0; n < 3; n++) yield* start(hold(ask(1)))
      const own = yield* Effect.flip(hold(ask(1)))
      assert.strictEqual(own.reason, "QueueFull")
      assert.isAtLeast(own.retryAfterMillis, 1_000)
      const caller = { tenant: "other", agent: "agent", priority: "normal" } as const
      yield* start(hold(ask(1, { caller })))
      const all = yield* Effect.flip(hold(ask(1, { caller })))
      assert.strictEqual(all.reason, "QueueFull")
      const { queue } = yield* (yield* TokenRateLimiter).stats
      assert.strictEqual(queue.length, 4)
    }).pipe(Effect.provide(layer({ maxQueued: 4 })))
  )

  it.effect("gives up at the deadline and leaves nothing behind", () =>
    Effect.gen(function* () {
      const first = yield* hold(ask(limit))
      const late = yield* start(Effect.flip(hold(ask(1_000, { deadlineMillis: 5_000 }))))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(late)
      assert.strictEqual(error.reason, "DeadlineExceeded")
      yield* first.close
      const { inFlight, queue } = yield* (yield* TokenRateLimiter).stats
      assert.deepStrictEqual([inFlight, queue.length, yield* used], [0, 0, 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("bounds the requests in flight", () =>
    Effect.gen(function* () {
      const first = yield* hold(ask(1))
      yield* hold(ask(1))
      const third = yield* start(hold(ask(1)))
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(third.pollUnsafe())
      yield* first.close
      yield* Fiber.join(third)
      assert.strictEqual((yield* (yield* TokenRateLimiter).stats).inFlight, 2)
    }).pipe(Effect.provide(layer({ maxInFlight: 2 })))
  )

  it.effect("keeps to the requests per minute", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const one = Effect.andThen(
        hold(ask(1)),
        Effect.clockWith((clock) => Effect.sync(() => times.push(clock.currentTimeMillisUnsafe())))
      )
      yield* start(
        Effect.all(
          Array.from({ length: 400 }, () => one),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("3 minutes")
      for (const from of times) assert.isAtMost(times.filter((at) => at >= from && at < from + 60_000).length, 100)
      assert.isAtLeast(times.length, 3 * 95)
    }).pipe(Effect.provide(layer({ requestsPerMinute: 100, maxInFlight: 1_000 })))
  )

  it.effect("refuses a tenant beyond its own requests per minute, and nobody else", () =>
    Effect.gen(function* () {
      const of = (tenant: string) => ask(1, { caller: { tenant, agent: "agent", priority: "normal" } })
      yield* hold(of("a"))
      const error = yield* Effect.flip(hold(of("a")))
      assert.strictEqual(error.reason, "TenantLimit")
      yield* hold(of("b"))
      yield* TestClock.adjust(error.retryAfterMillis)
      yield* hold(of("a"))
      assert.strictEqual((yield* (yield* TokenRateLimiter).stats).inFlight, 3)
    }).pipe(Effect.provide(layer({ tenantRequestsPerMinute: 10 })))
  )

  it.effect("does not stall when the wall clock goes back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(10_000_000)
      yield* hold(ask(limit))
      yield* TestClock.setTime(1_000)
      const second = yield* start(hold(ask(limit)))
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.join(second)
    }).pipe(Effect.provide(layer({ requestsPerMinute: 10 })))
  )

  it.effect("shows who waits, in the order in which they will go", () =>
    Effect.gen(function* () {
      yield* hold(ask(limit))
      for (const [tenant, priority, tokens] of [
        ["a", "normal", 10_000],
        ["a", "normal", 10_000],
        ["b", "normal", 5_000],
        ["c", "interactive", 20_000]
      ] as const) {
        yield* start(hold(ask(tokens, { caller: { tenant, agent: "agent", priority } })))
        yield* TestClock.adjust(100)
      }
      const waiting = yield* (yield* TokenRateLimiter).waiting(3)
      assert.deepStrictEqual(
        waiting.map(({ position, tenant }) => [position, tenant]),
        [
          [1, "c"],
          [2, "a"],
          [3, "b"]
        ]
      )
      assert.deepStrictEqual(
        waiting.map(({ expectedWaitMillis }) => expectedWaitMillis),
        [3_000, 4_500, 5_250]
      )
      assert.strictEqual(waiting[1]?.waitedMillis, 400)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("ends all waiting when it is closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const limiter = yield* Layer.buildWithScope(TokenRateLimiter.layerOf({ inputPerMinute: 10 }), scope).pipe(
        Effect.flatMap((context) => Effect.provideContext(TokenRateLimiter, context))
      )
      yield* Effect.scoped(limiter.reserve(ask(10)))
      yield* Scope.provide(limiter.reserve(ask(10)), scope)
      const waiting = yield* start(Effect.scoped(limiter.reserve(ask(10))))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
    })
  )
})

describe("no reservation leaks", () => {
  /** Hardly more than one operation at a time, so that an interruption can fall between any two of them. */
  const stepwise = Effect.provideService(References.MaxOpsBeforeYield, 3)

  it.effect("wherever the request is interrupted", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const blocker = yield* hold(ask(limit - 1_000))
      let finished = 0
      for (let steps = 0; steps < 240; steps++) {
        const waits = steps % 2 === 0
        const inUse = Effect.andThen(limiter.reserve(ask(waits ? 2_000 : 500)), Effect.never)
        const fiber = yield* start(stepwise(Effect.scoped(inUse)))
        for (let n = 0; n < steps / 4; n++) yield* Effect.yieldNow
        const { inFlight } = yield* limiter.stats
        finished += inFlight - 1
        yield* Fiber.interrupt(fiber)
        const stats = yield* limiter.stats
        assert.deepStrictEqual(
          [stats.inFlight, stats.queue.length, stats.used],
          [1, 0, limit - 1_000],
          `after ${steps} steps`
        )
      }
      assert.isAbove(finished, 0)
      yield* blocker.close
      assert.strictEqual(yield* used, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("at the very moment of its admission", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      for (let steps = 0; steps < 60; steps++) {
        const blocker = yield* hold(ask(limit))
        const fiber = yield* start(stepwise(Effect.scoped(Effect.andThen(limiter.reserve(ask(limit)), Effect.never))))
        yield* Effect.forkChild(blocker.close)
        for (let n = 0; n < steps; n++) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        yield* blocker.close
        const stats = yield* limiter.stats
        assert.deepStrictEqual([stats.inFlight, stats.queue.length, stats.used], [0, 0, 0], `after ${steps} steps`)
      }
    }).pipe(Effect.provide(layer({ maxInFlight: 1 })))
  )

  it.effect("under random arrivals, settlements, interruptions and deadlines", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const next = random(5)
      const life = (tokens: number, millis: number, settles: boolean) =>
        Effect.scoped(
          Effect.gen(function* () {
            const deadline = tokens % 3 === 0 ? { deadlineMillis: 30_000 } : {}
            const reservation = yield* limiter.reserve(ask(tokens, deadline))
            yield* Effect.sleep(millis)
            if (settles) yield* limiter.settle(reservation, usageOf(Math.floor(tokens / 2)))
          })
        )
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let n = 0; n < 1_500; n++) {
        fibers.push(yield* start(life(between(next, 1, 30_000), between(next, 1, 20_000), next() < 0.5)))
        if (next() < 0.3) yield* TestClock.adjust(between(next, 1, 3_000))
        const victim = fibers[between(next, 0, fibers.length - 1)]
        if (victim !== undefined && next() < 0.4) yield* Fiber.interrupt(victim)
        assert.isAtMost(yield* used, limit)
      }
      for (const fiber of fibers) yield* Fiber.interrupt(fiber)
      const { inFlight, queue } = yield* limiter.stats
      assert.deepStrictEqual([inFlight, queue.length], [0, 0])
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* used, 0)
    }).pipe(Effect.provide(layer()))
  )
})

describe("adapting to upstream", () => {
  it.effect("pauses the class that was refused, for as long as upstream asks", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      yield* limiter.observe(model, 429, { "retry-after": "20" })
      const sonnet = yield* start(hold(ask(100)))
      const haiku = yield* hold(ask(100, { model: "claude-haiku-5-5" }))
      assert.strictEqual(haiku.reservation.waitedMillis, 0)
      const { classes } = yield* limiter.stats
      assert.strictEqual(classes?.find((one) => one.modelClass === "sonnet-5-5")?.pausedMillis, 20_000)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(sonnet)).reservation.waitedMillis, 20_000)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("does not wait for a budget that is spent", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      yield* limiter.observe(model, 429, {}, "spend")
      assert.strictEqual((yield* hold(ask(100))).reservation.waitedMillis, 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("refuses a waiting request once upstream's limit turns out to be too small for it", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      yield* hold(ask(350_000))
      const large = yield* start(Effect.flip(hold(ask(200_000))))
      yield* limiter.observe(model, 200, {
        "anthropic-ratelimit-input-tokens-limit": "100000",
        "anthropic-ratelimit-input-tokens-remaining": "90000"
      })
      yield* TestClock.adjust("60 seconds")
      const error = yield* Fiber.join(large)
      assert.strictEqual(error.reason, "TooLarge")
      assert.include(error.message, "upstream")
    }).pipe(Effect.provide(layer()))
  )
})

describe("telling", () => {
  it.effect("warns once above 85 % and clears once below 75 %", () =>
    Effect.gen(function* () {
      yield* hold(ask(300_000))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* eventsOf("AlertRaised")).length, 0)
      yield* hold(ask(45_000))
      yield* TestClock.adjust("20 seconds")
      const raised = yield* eventsOf("AlertRaised")
      assert.strictEqual(raised.length, 1)
      assert.isAtMost(raised[0]?.at ?? 0, 15_000)
      assert.strictEqual((yield* eventsOf("AlertCleared")).length, 0)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* eventsOf("AlertRaised")).length, 1)
      assert.strictEqual((yield* eventsOf("AlertCleared")).length, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tells its state at most once a second, and nothing while nothing happens", () =>
    Effect.gen(function* () {
      const next = random(1)
      for (let n = 0; n < 200; n++) {
        yield* (yield* hold(ask(between(next, 1, 100)))).close
        yield* TestClock.adjust(between(next, 1, 100))
      }
      yield* TestClock.adjust("2 minutes")
      const times = (yield* eventsOf("Limiter")).map(({ at }) => at)
      assert.isAbove(times.length, 3)
      times.slice(1).forEach((at, n) => {
        assert.isAtLeast(at - (times[n] ?? 0), 1_000)
      })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* eventsOf("Limiter")).length, times.length)
    }).pipe(Effect.provide(layer()))
  )
})

describe("switched off", () => {
  it.effect("admits everything at once and still counts", () =>
    Effect.gen(function* () {
      const limiter = yield* TokenRateLimiter
      const { reservation } = yield* hold(ask(10 * limit))
      yield* hold(ask(10 * limit))
      yield* limiter.observe(model, 429, { "retry-after": "20" })
      yield* hold(ask(100))
      yield* limiter.settle(reservation, usageOf(5))
      const stats = yield* limiter.stats
      assert.deepStrictEqual(
        [stats.enabled, stats.used, stats.limit, stats.inFlight],
        [false, 10 * limit + 105, limit, 3]
      )
    }).pipe(Effect.provide(TokenRateLimiter.layerTest))
  )
})
