import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { makeWorld, published, request } from "./world.ts"

const helpers = [
  "cache.key",
  "cache.lookup",
  "cache.coalesce",
  "cache.store",
  "estimator.estimate",
  "estimator.observe",
  "limiter.reserve",
  "limiter.observe",
  "limiter.settle",
  "costs.reserve",
  "costs.settle",
  "events.publish"
]

const both = Effect.fnUntraced(function* (text: string) {
  const governor = yield* Governor
  const whole = yield* governor.run(request(`${text} whole`), defaultCaller)
  const stream = yield* governor.stream(request(`${text} streamed`), defaultCaller)
  const events = yield* Stream.runCollect(stream.events)
  return { whole, events, settlement: yield* stream.settlement }
}, Effect.scoped)

describe("invariant 8: what only helps never fails a request", () => {
  for (const step of helpers) {
    it.effect(`${step} breaks`, () => {
      const world = makeWorld()
      const lines: Array<unknown> = []
      const log = Logger.layer([Logger.make(({ message }) => void lines.push(message))])
      return Effect.gen(function* () {
        world.steps.broken.add(step)
        for (const round of [1, 2]) {
          const { events, settlement, whole } = yield* both(`round ${round}`)
          assert.deepStrictEqual(whole.message.content, [{ type: "text", text: "hello" }])
          assert.strictEqual(events.at(-1)?.type, "message_stop")
          assert.strictEqual(settlement.usage.output, 20)
        }
        assert.strictEqual(world.upstream.requests.length, 4)
        assert.strictEqual(world.limits.open.size, 0)
        assert.strictEqual(lines.length, 1, "one line in the log")
        const raised = (yield* published).filter((event) => event._tag === "AlertRaised")
        if (step === "events.publish") return
        assert.strictEqual(raised.length, 1, "one alert")
        assert.strictEqual(raised[0]?.alert.kind, "degraded")

        world.steps.broken.clear()
        yield* both("mended")
        const cleared = (yield* published).filter((event) => event._tag === "AlertCleared")
        assert.strictEqual(cleared.length, 1, "cleared once")
        assert.strictEqual(cleared[0]?.alert.subject, raised[0]?.alert.subject)
      }).pipe(Effect.provide(log), Effect.provide(world.layer))
    })
  }

  it.effect("a broken room that others still announce is not an alert: typed failures are answers", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const governor = yield* Governor
      world.books.budget = 0
      yield* Effect.flip(governor.run(request("x"), defaultCaller))
      assert.deepStrictEqual(yield* published, [])
    }).pipe(Effect.provide(world.layer))
  })
})
