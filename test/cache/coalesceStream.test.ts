import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { makeStreamFlight } from "../../src/cache/StreamFlight.ts"

const memory = Effect.provide(ResponseCache.layerMemory({ ttlMillis: 1000, maxBytes: 1000 }))

/** A stream of `n` numbers, one every 100 ms, that counts how often it was opened and closed. */
const makeSource = (n = 10) => {
  const seen = { opened: 0, closed: 0, sent: 0 }
  const open = Effect.acquireRelease(
    Effect.sync(() => {
      seen.opened++
      return {
        head: `headers ${seen.opened}`,
        events: Stream.range(1, n).pipe(
          Stream.schedule(Schedule.spaced("100 millis")),
          Stream.tap(() => Effect.sync(() => seen.sent++))
        )
      }
    }),
    () => Effect.sync(() => seen.closed++)
  )
  return { seen, open }
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

describe("coalesceStream", () => {
  it.effect("everybody hears all of it, also who joins late", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { open, seen } = makeSource()
      const listen = Effect.scoped(
        Effect.gen(function* () {
          const { coalesced, events, head } = yield* cache.coalesceStream("k", open)
          return { coalesced, head, heard: yield* Stream.runCollect(events) }
        })
      )
      const early = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(listen))
      yield* TestClock.adjust("550 millis")
      const late = yield* Effect.forkChild(listen)
      yield* TestClock.adjust("600 millis")
      const all = yield* Fiber.joinAll([...early, late])
      for (const { head, heard } of all) {
        assert.strictEqual(head, "headers 1")
        assert.deepStrictEqual(heard, numbers(10))
      }
      assert.deepStrictEqual(
        all.map(({ coalesced }) => coalesced),
        [false, true, true, true]
      )
      assert.deepStrictEqual(seen, { opened: 1, closed: 1, sent: 10 })
      assert.strictEqual((yield* cache.stats).coalesced, 3)
    }).pipe(memory)
  )

  it.effect("the leader leaves, the others hear the end; the last one leaves, upstream is closed", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { open, seen } = makeSource()
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.provide(cache.coalesceStream("k", open), first)
      const { events } = yield* Scope.provide(cache.coalesceStream("k", open), second)
      yield* TestClock.adjust("350 millis")
      yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual(seen, { opened: 1, closed: 0, sent: 3 })
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(events, 6)), numbers(6))
      yield* Scope.close(second, Exit.void)
      assert.deepStrictEqual(seen, { opened: 1, closed: 1, sent: 6 })
      yield* Effect.scoped(cache.coalesceStream("k", open))
      assert.strictEqual(seen.opened, 2)
    }).pipe(memory)
  )

  it.effect("a failure to open, and a failure in the middle, reach everybody", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const refused = Effect.delay(Effect.fail("refused" as const), "1 second")
      const fibers = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(Effect.flip(Effect.scoped(cache.coalesceStream("k", refused))))
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["refused", "refused"])

      const breaking = Effect.succeed({ head: 0, events: Stream.concat(Stream.make(1, 2), Stream.fail("broken")) })
      const heard = yield* cache.coalesceStream("k", breaking).pipe(
        Effect.flatMap(({ events }) => Stream.runCollect(Stream.catch(events, (error) => Stream.make(error)))),
        Effect.scoped
      )
      assert.deepStrictEqual<unknown>(heard, [1, 2, "broken"])
    }).pipe(memory)
  )

  it.effect("what failed for the leader's own reasons is opened again by a follower", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { open, seen } = makeSource(1)
      const options = { notShared: (error: string) => error === "over budget" }
      const overBudget: Effect.Effect<never, string> = Effect.delay(Effect.fail("over budget"), "1 second")
      const leader = yield* Effect.forkChild(Effect.flip(Effect.scoped(cache.coalesceStream("k", overBudget, options))))
      yield* Effect.yieldNow
      const followers = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(
          Effect.scoped(
            Effect.flatMap(cache.coalesceStream("k", open, options), ({ events }) => Stream.runCollect(events))
          )
        )
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(leader), "over budget")
      assert.deepStrictEqual(yield* Fiber.joinAll(followers), [[1], [1]])
      assert.strictEqual(seen.opened, 1)
    }).pipe(memory)
  )
})

describe("a stream longer than the bound", () => {
  const take = (events: Stream.Stream<number>, n: number) => Stream.runCollect(Stream.take(events, n))

  it.effect("waits for the slowest listener, loses nothing, and takes nobody in any more", () =>
    Effect.gen(function* () {
      const flights = makeStreamFlight(() => undefined, { bound: 10 })
      let sent = 0
      const events = Stream.range(1, 1000).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.sync(() => sent++))
      )
      const open = Effect.succeed({ head: 0, events: Stream.unwrap(Effect.delay(Effect.succeed(events), "1 second")) })
      const fast = yield* flights.run("k", open)
      const slowScope = yield* Scope.make()
      yield* Scope.provide(flights.run("k", open), slowScope)
      const reading = yield* Effect.forkChild(take(fast.events, 1000))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(sent, 10)
      assert.isFalse((yield* Effect.scoped(flights.run("k", open))).coalesced)

      yield* Scope.close(slowScope, Exit.void)
      assert.deepStrictEqual(yield* Fiber.join(reading), numbers(1000))
    })
  )

  it.effect("a stream that is all there at once is heard from its start", () =>
    Effect.gen(function* () {
      const flights = makeStreamFlight(() => undefined, { bound: 10 })
      const { events } = yield* flights.run("k", Effect.succeed({ head: 0, events: Stream.range(1, 500) }))
      assert.deepStrictEqual(yield* Stream.runCollect(events), numbers(500))
    })
  )
})
