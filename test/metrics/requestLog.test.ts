import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { layerRequestLog } from "../../src/observability/RequestLog.ts"
import { Settings, type SettingsShape } from "../../src/Settings.ts"
import { request } from "./support.ts"

interface Line {
  readonly level: string
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Publishes two requests and something else; what is logged meanwhile. */
const logged = (requestLogLevel: SettingsShape["requestLogLevel"]) => {
  const lines: Array<Line> = []
  const keep = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    lines.push({ level: logLevel, message, annotations: fiber.getRef(References.CurrentLogAnnotations) })
  })
  const watched = layerRequestLog.pipe(
    Layer.provideMerge(Events.layer),
    Layer.provide(Settings.layerWith({ requestLogLevel })),
    Layer.provideMerge(Logger.layer([keep])),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Debug"))
  )
  return Effect.gen(function* () {
    const { publish } = yield* Events
    yield* publish(request({ requestId: "a", queueMillis: 12, costNanoUsd: nanoUsd(1_000_000) }))
    yield* publish({ _tag: "CacheCleared", entries: 3 })
    yield* publish(request({ requestId: "b", status: "error", conversation: null }))
    for (let n = 0; n < 20; n++) yield* Effect.yieldNow
    return lines
  }).pipe(Effect.provide(watched))
}

describe("the request log", () => {
  it.effect("one line for each governed request, with what it came to", () =>
    Effect.gen(function* () {
      const [first, second, ...others] = yield* logged("info")
      assert.isEmpty(others)
      assert.strictEqual(first?.level, "Info")
      assert.deepInclude(first?.annotations, {
        requestId: "a",
        tenant: "default",
        model: "claude-sonnet-5-5",
        conversation: "c1",
        cache: "bypass",
        inputTokens: 100,
        cacheWriteTokens: 20,
        cacheReadTokens: 30,
        outputTokens: 10,
        costUsd: 0.001,
        queueMillis: 12,
        upstreamMillis: 1_500
      })
      assert.deepInclude(second?.annotations, { requestId: "b", status: "error" })
      assert.notProperty(second?.annotations, "conversation")
    })
  )

  it.effect("is as important as REQUEST_LOG_LEVEL says", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        (yield* logged("debug")).map(({ level }) => level),
        ["Debug", "Debug"]
      )
      assert.isEmpty(yield* logged("off"))
    })
  )
})
