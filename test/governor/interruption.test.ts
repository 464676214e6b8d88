import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import { ClaudeError, Overloaded, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { limitedInput } from "../../src/domain/Usage.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { answer, balance, balanced, makeWorld, request, type World } from "./world.ts"

const cut = new ClaudeError({ reason: new StreamBroken({ detail: "cut", body: null }) })
const overloaded = new ClaudeError({
  reason: new Overloaded({ status: 529, body: {}, headers: {}, requestId: null, retryAfterMillis: null })
})

type Mode = "run" | "stream"

const ask = (mode: Mode, text: string, cache: "on" | "off") =>
  Effect.scoped(
    Effect.gen(function* () {
      const governor = yield* Governor
      if (mode === "run") return yield* governor.run(request(text), defaultCaller, { cache })
      const stream = yield* governor.stream(request(text), defaultCaller, { cache })
      yield* Stream.runDrain(stream.events)
      return yield* stream.settlement
    })
  )

/** Lets everything that can go on go on. */
const settleDown = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

const stepsOf = (mode: Mode, cache: "on" | "off", world: World) =>
  Effect.map(Effect.provide(ask(mode, "x", cache), world.layer), () => [...new Set(world.steps.log)])

describe("leaving at any moment", () => {
  for (const mode of ["run", "stream"] as const) {
    for (const cache of ["on", "off"] as const) {
      it.effect(`${mode}, cache ${cache}: holds nothing and loses no bill`, () =>
        Effect.gen(function* () {
          const steps = yield* stepsOf(mode, cache, makeWorld())
          assert.isAbove(steps.length, 8)
          for (const step of steps) {
            for (const again of [false, true]) {
              const world = makeWorld()
              yield* Effect.gen(function* () {
                const held = world.steps.hold(step)
                const fiber = yield* Effect.forkChild(ask(mode, "x", cache), { startImmediately: true })
                yield* held.reached
                const leaving = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
                // Somebody comes with the same request while the first one is leaving.
                const other = again ? yield* Effect.forkChild(ask(mode, "x", cache)) : undefined
                held.release()
                yield* Fiber.join(leaving)
                yield* settleDown
                if (other)
                  assert.isTrue(Exit.isSuccess(yield* Fiber.await(other)), `${step}: the other one is answered`)
              }).pipe(Effect.provide(world.layer))
              assert.deepStrictEqual(balance(world), balanced, `left at ${step}${again ? ", with a follower" : ""}`)
            }
          }
        })
      )
    }
  }

  it.effect("a scope that closes while its reader is settling settles nothing twice", () =>
    Effect.gen(function* () {
      for (const step of ["limiter.settle", "costs.settle", "estimator.observe", "events.publish"]) {
        const world = makeWorld()
        yield* Effect.gen(function* () {
          const governor = yield* Governor
          const scope = yield* Scope.make()
          const held = world.steps.hold(step)
          const stream = yield* Scope.provide(governor.stream(request("x"), defaultCaller, { cache: "off" }), scope)
          yield* Effect.forkChild(Stream.runDrain(stream.events))
          yield* held.reached
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
          yield* settleDown
          held.release()
          yield* Fiber.join(closing)
          assert.isFalse((yield* stream.settlement).partial)
        }).pipe(Effect.provide(world.layer))
        assert.deepStrictEqual(balance(world), balanced, step)
        assert.strictEqual(world.books.settled.length, 1)
        assert.strictEqual(world.limits.settled.length, 1)
      }
    })
  )

  it.effect("before anything was sent, nothing is sent", () =>
    Effect.gen(function* () {
      for (const step of ["cache.lookup", "costs.reserve", "limiter.reserve"]) {
        for (const mode of ["run", "stream"] as const) {
          const world = makeWorld()
          yield* Effect.gen(function* () {
            const held = world.steps.hold(step)
            const fiber = yield* Effect.forkChild(ask(mode, "x", "on"), { startImmediately: true })
            yield* held.reached
            yield* Fiber.interrupt(fiber)
            held.release()
            yield* settleDown
          }).pipe(Effect.provide(world.layer))
          assert.strictEqual(world.upstream.requests.length, 0, `${mode} left at ${step}`)
        }
      }
    })
  )
})

const Act = Schema.Struct({
  mode: Schema.Literals(["run", "stream"]),
  cache: Schema.Literals(["on", "off"]),
  text: Schema.Literals(["a", "b", "c"]),
  fate: Schema.Literals(["ok", "ok", "ok", "refused", "cut"]),
  leave: Schema.Literals([
    "never",
    "never",
    "limiter.reserve",
    "claude.sending",
    "claude.answering",
    "claude.opening",
    "claude.message_start",
    "claude.content_block_delta",
    "claude.message_stop",
    "costs.settle",
    "limiter.settle"
  ])
})

const play = (acts: ReadonlyArray<typeof Act.Type>) =>
  Effect.gen(function* () {
    const world = makeWorld()
    let n = 0
    const fates = acts.map((act) => act.fate)
    world.upstream.reply = () => {
      const fate = fates[n % fates.length]
      const whole = answer(`answer ${++n}`, {
        usage: {
          input_tokens: 1_000 + n,
          cache_creation_input_tokens: n,
          cache_read_input_tokens: 7,
          output_tokens: 40
        }
      })
      if (fate === "refused") return overloaded
      const streamed = world.steps.log.at(-1) === "claude.opening"
      return fate === "cut" && streamed ? { events: replayEvents(whole).slice(0, 3), cut } : whole
    }
    yield* Effect.gen(function* () {
      yield* Effect.forEach(
        acts,
        Effect.fnUntraced(function* ({ cache, leave, mode, text }) {
          const held = leave === "never" ? undefined : world.steps.hold(leave)
          const fiber = yield* Effect.forkChild(Effect.exit(ask(mode, text, cache)))
          if (held !== undefined) {
            yield* Effect.race(held.reached, Fiber.await(fiber))
            const leaving = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
            held.release()
            yield* Fiber.join(leaving)
          }
          yield* Fiber.await(fiber)
        }),
        { concurrency: 4 }
      )
      yield* settleDown
    }).pipe(Effect.provide(world.layer))
    return world
  })

describe("invariant 6", () => {
  it.effect.prop(
    "every billed attempt is in the books exactly once, with upstream's figures",
    { acts: Schema.Array(Act) },
    ({ acts }) =>
      Effect.gen(function* () {
        if (acts.length === 0) return
        const world = yield* play(acts)
        assert.deepStrictEqual(balance(world), balanced)
        const inputs = (list: ReadonlyArray<number>) => [...list].sort((a, b) => a - b)
        assert.deepStrictEqual(
          inputs(world.books.settled.map((entry) => limitedInput(entry.usage))),
          inputs(world.upstream.billed.map(limitedInput))
        )
        const written = (list: ReadonlyArray<{ readonly output: number }>) => list.reduce((n, u) => n + u.output, 0)
        const booked = world.books.settled.map((entry) => entry.usage)
        assert.isAtLeast(written(booked), written(world.upstream.billed))
        if (world.books.settled.every((entry) => entry.partial !== true)) {
          assert.strictEqual(written(booked), written(world.upstream.billed))
        }
      }),
    { arbitrary: { runs: 150 } }
  )
})
