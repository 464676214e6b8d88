import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Event } from "../../src/domain/Event.ts"
import { Events } from "../../src/events/Events.ts"

const cleared = (entries: number): Event => ({ _tag: "CacheCleared", entries })
const small = { perListener: 4, kept: 8 }

describe("Events", () => {
  it.effect("reaches every listener, in order", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      const one = yield* events.listen
      const two = yield* events.listen
      yield* events.publish(cleared(1))
      yield* events.publish(cleared(2))
      for (const listener of [one, two]) {
        const got = yield* Stream.runCollect(Stream.take(listener, 2))
        assert.deepStrictEqual(
          got.map((e) => e.event),
          [cleared(1), cleared(2)]
        )
      }
    })
  )

  it.effect("publishes without listeners and without waiting for slow ones, which lose the oldest", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      yield* events.publish(cleared(0))
      const slow = yield* events.listen
      for (let n = 1; n <= 100; n++) yield* events.publish(cleared(n))
      const got = yield* Stream.runCollect(Stream.take(slow, 4))
      assert.deepStrictEqual(
        got.map((e) => e.event),
        [97, 98, 99, 100].map(cleared)
      )
    })
  )

  it.effect("replays what is kept after a sequence number, then goes on live", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      for (let n = 1; n <= 5; n++) yield* events.publish(cleared(n))
      const collect = (seq: number, count: number) =>
        Effect.forkChild(Stream.runCollect(Stream.take(events.since(seq), count)), { startImmediately: true })
      const fiber = yield* collect(2, 5)
      yield* events.publish(cleared(6))
      yield* events.publish(cleared(7))
      const got = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        got.map((e) => e.seq),
        [3, 4, 5, 6, 7]
      )
    })
  )

  it.effect("keeps a bounded past, and shows a jump to whoever asks for more", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      for (let n = 1; n <= 20; n++) yield* events.publish(cleared(n))
      const kept = yield* events.recent
      assert.deepStrictEqual(
        kept.map((e) => e.seq),
        [13, 14, 15, 16, 17, 18, 19, 20]
      )
      const got = yield* Stream.runCollect(Stream.take(events.since(3), 1))
      assert.strictEqual(got[0]?.seq, 13)
    })
  )

  it.effect("replays everything kept to a listener from before a restart", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      yield* events.publish(cleared(1))
      const got = yield* Stream.runCollect(Stream.take(events.since(5_000), 1))
      assert.strictEqual(got[0]?.seq, 1)
    })
  )

  it.effect("stamps events with the clock", () =>
    Effect.gen(function* () {
      const events = yield* Events
      yield* TestClock.setTime(1_234)
      yield* events.publish(cleared(1))
      const kept = yield* events.recent
      assert.deepStrictEqual(kept, [{ seq: 1, at: 1_234, event: cleared(1) }])
    }).pipe(Effect.provide(Events.layerTest))
  )

  it.effect("tells a listener only what it wants, and a watcher everything before publishing is over", () =>
    Effect.gen(function* () {
      const events = yield* Events.make(small)
      const seen: Array<number> = []
      const odd = yield* events.listenFor((event) => event._tag === "CacheCleared" && event.entries % 2 === 1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* events.watch(({ seq }) => void seen.push(seq))
          for (let n = 1; n <= 5; n++) yield* events.publish(cleared(n))
          assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
        })
      )
      yield* events.publish(cleared(6))
      const got = yield* Stream.runCollect(Stream.take(odd, 3))
      assert.deepStrictEqual(
        got.map((e) => e.seq),
        [1, 3, 5]
      )
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
    })
  )

  it.effect("ends its listeners when it is closed", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.scoped(
        Effect.gen(function* () {
          const events = yield* Events.make(small)
          return yield* Effect.forkDetach(Stream.runDrain(events.stream), { startImmediately: true })
        })
      )
      yield* Fiber.await(fiber)
    })
  )
})
