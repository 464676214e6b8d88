import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"

const memory = Effect.provide(ResponseCache.layerMemory({ ttlMillis: 1000, maxBytes: 1000 }))

/** A call that takes a second and counts how often it was begun, finished and interrupted. */
const makeCall = () => {
  const seen = { begun: 0, finished: 0, interrupted: 0 }
  const call = Effect.suspend(() => {
    seen.begun++
    return Effect.as(Effect.sleep("1 second"), `answer ${seen.begun}`)
  }).pipe(
    Effect.tap(() => Effect.sync(() => seen.finished++)),
    Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++))
  )
  return { seen, call }
}

describe("coalesce", () => {
  it.effect("a hundred identical requests in flight are one call", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const fibers = yield* Effect.forEach(Array(100), () => Effect.forkChild(cache.coalesce("k", call)))
      yield* TestClock.adjust("1 second")
      const results = yield* Fiber.joinAll(fibers)
      assert.isTrue(results.every(({ value }) => value === "answer 1"))
      assert.lengthOf(
        results.filter(({ coalesced }) => coalesced),
        99
      )
      assert.deepStrictEqual(seen, { begun: 1, finished: 1, interrupted: 0 })
      assert.strictEqual((yield* cache.stats).coalesced, 99)
    }).pipe(memory)
  )

  it.effect("other keys, and the same key later, are other calls", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const fibers = yield* Effect.forEach(["a", "b"], (key) => Effect.forkChild(cache.coalesce(key, call)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll(fibers)
      const later = yield* Effect.forkChild(cache.coalesce("a", call))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(later), { value: "answer 3", coalesced: false })
      assert.strictEqual(seen.begun, 3)
    }).pipe(memory)
  )

  it.effect("an interrupted leader leaves the call to its followers", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const leader = yield* Effect.forkChild(cache.coalesce("k", call))
      yield* TestClock.adjust("500 millis")
      const follower = yield* Effect.forkChild(cache.coalesce("k", call))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(leader)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* Fiber.join(follower), { value: "answer 1", coalesced: true })
      assert.deepStrictEqual(seen, { begun: 1, finished: 1, interrupted: 0 })
    }).pipe(memory)
  )

  it.effect("a call that must be kept goes on when everybody has left, and whoever comes then joins it", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const home = yield* Effect.scope
      const options = {
        keep: () => true,
        fork: (work: Effect.Effect<string>) => Effect.forkIn(work, home, { startImmediately: true })
      }
      const leader = yield* Effect.forkChild(cache.coalesce("k", call, options))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(leader)
      const later = yield* Effect.forkChild(cache.coalesce("k", call))
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* Fiber.join(later), { value: "answer 1", coalesced: true })
      assert.deepStrictEqual(seen, { begun: 1, finished: 1, interrupted: 0 })
    }).pipe(memory)
  )

  it.effect("when everybody has left, the call is interrupted, and the next request begins anew", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const both = yield* Effect.forEach([1, 2], () => Effect.forkChild(cache.coalesce("k", call)))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interruptAll(both)
      assert.deepStrictEqual(seen, { begun: 1, finished: 0, interrupted: 1 })
      const next = yield* Effect.forkChild(cache.coalesce("k", call))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(next), { value: "answer 2", coalesced: false })
    }).pipe(memory)
  )

  it.effect("a request that comes while an abandoned call is winding down does not join it", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const slowToDie = Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second"))
      const abandoned = yield* Effect.forkChild(cache.coalesce("k", slowToDie))
      yield* Effect.yieldNow
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(abandoned))
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* cache.coalesce("k", Effect.succeed("new")), { value: "new", coalesced: false })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupting)
    }).pipe(memory)
  )

  it.effect("a failure is everybody's, and is not remembered", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      let calls = 0
      const failing = Effect.suspend(() => Effect.delay(Effect.fail(`broken ${++calls}`), "1 second"))
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Effect.flip(cache.coalesce("k", failing))))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["broken 1", "broken 1", "broken 1"])
      assert.deepStrictEqual(yield* cache.coalesce("k", Effect.succeed("fine")), { value: "fine", coalesced: false })
    }).pipe(memory)
  )

  it.effect("what failed for the leader's own reasons is tried again by one follower, for all", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const { call, seen } = makeCall()
      const overBudget = Effect.delay(Effect.fail("over budget"), "1 second")
      const options = { notShared: (error: string) => error === "over budget" }
      const leader = yield* Effect.forkChild(Effect.flip(cache.coalesce("k", overBudget, options)))
      yield* Effect.yieldNow
      const followers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(cache.coalesce("k", call, options)))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(leader), "over budget")
      assert.deepStrictEqual(
        (yield* Fiber.joinAll(followers)).map(({ value }) => value),
        ["answer 1", "answer 1", "answer 1"]
      )
      assert.strictEqual(seen.begun, 1)
    }).pipe(memory)
  )

  it.effect("work that finishes at once, dies, or asks for itself leaves nothing behind", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      assert.deepStrictEqual(yield* cache.coalesce("k", Effect.succeed(1)), { value: 1, coalesced: false })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(cache.coalesce("k", Effect.die("bug")))))
      const inner = Effect.map(cache.coalesce("k", Effect.succeed(2)), ({ value }) => value)
      assert.strictEqual((yield* cache.coalesce("k", inner)).value, 2)
      assert.deepStrictEqual(yield* cache.coalesce("k", Effect.succeed(3)), { value: 3, coalesced: false })
    }).pipe(memory)
  )

  it.effect("uninterruptible waiters still get their answer", () =>
    Effect.gen(function* () {
      const cache = yield* ResponseCache
      const gate = yield* Deferred.make<string>()
      const waiter = yield* Effect.forkChild(Effect.uninterruptible(cache.coalesce("k", Deferred.await(gate))))
      yield* Effect.yieldNow
      yield* Deferred.succeed(gate, "done")
      assert.strictEqual((yield* Fiber.join(waiter)).value, "done")
    }).pipe(memory)
  )
})
