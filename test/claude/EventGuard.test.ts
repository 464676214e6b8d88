import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ClaudeError, StreamBroken } from "../../src/claude/ClaudeError.ts"
import { guardEvents } from "../../src/claude/EventGuard.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"

const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }

const run = (...batches: ReadonlyArray<ReadonlyArray<StreamEvent>>) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const events = guardEvents(Stream.fromArrays(...batches))
    const ended = yield* Effect.result(Stream.runForEach(events, (event) => Effect.sync(() => seen.push(event.type))))
    return [seen.join(" "), ended._tag === "Failure" ? ended.failure.reason : "complete"] as const
  })

const start = { type: "message_start" }
const stop = { type: "message_stop" }

describe("guardEvents", () => {
  it.effect("passes a whole stream on, and whatever comes after its stop", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run([start], [{ type: "hologram" }, stop]), [
        "message_start hologram message_stop",
        "complete"
      ])
      assert.deepStrictEqual(yield* run([start, stop], [{ type: "ping" }]), [
        "message_start message_stop ping",
        "complete"
      ])
    })
  )

  it.effect("fails when the stream ends without its stop", () =>
    Effect.gen(function* () {
      for (const batches of [[], [[start]], [[start, { type: "ping" }]]]) {
        const [, reason] = yield* run(...batches)
        assert.strictEqual(reason !== "complete" && reason._tag, "StreamBroken")
      }
    })
  )

  it.effect("is not failed by a connection that breaks after the stop", () =>
    Effect.gen(function* () {
      const reset = new ClaudeError({ reason: new StreamBroken({ detail: "ECONNRESET", body: null }) })
      const resetAfter = (...batch: ReadonlyArray<StreamEvent>) =>
        Stream.runCollect(guardEvents(Stream.concat(Stream.fromIterable(batch), Stream.fail(reset))))
      assert.deepStrictEqual(yield* resetAfter(start, stop), [start, stop])
      assert.strictEqual(yield* Effect.flip(resetAfter(start)), reset)
    })
  )

  it.effect("fails at an error event, after what came before it, with its body", () =>
    Effect.gen(function* () {
      for (const batches of [[[start, overloaded, stop]], [[start], [overloaded]], [[start, overloaded], [stop]]]) {
        const [seen, reason] = yield* run(...batches)
        assert.strictEqual(seen, "message_start")
        assert.deepStrictEqual(
          reason !== "complete" && reason._tag === "StreamBroken" && [reason.detail, reason.body],
          ["overloaded_error: Overloaded", overloaded]
        )
      }
    })
  )
})
