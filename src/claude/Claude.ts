import { Context, Effect, Layer, Option } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { Settings } from "../Settings.ts"
import { Simulator } from "../testing/simulator/Simulator.ts"
import { makeAnthropic } from "./ClaudeAnthropic.ts"
import { makeRecorded, type RecordedMessage } from "./ClaudeRecorded.ts"
import type { ClaudeService } from "./ClaudeService.ts"
import { makeSimulated } from "./ClaudeSimulated.ts"
import { defaultRetry, makeRetrying, type RetryOptions } from "./Retry.ts"
import type { SdkOptions } from "./SdkWire.ts"
import type { Wire } from "./Wire.ts"

export type { RecordedMessage } from "./ClaudeRecorded.ts"
export type { AttemptEvent, CallOptions, ClaudeAnswer, ClaudeStream, CountTokensRequest } from "./ClaudeService.ts"

/** The upstream: one call, one attempt. Retry and the circuit breaker are in `claude/Retry.ts`, around it. */
export class Claude extends Context.Service<Claude, ClaudeService>()("sluice/claude/Claude") {
  /**
   * Over the `Wire` that is provided. A test that wants to script, limit or break the simulator, or read its bill,
   * writes `Claude.layerSimulatedNoDeps.pipe(Layer.provideMerge(Simulator.layerWith({ … })))`.
   */
  static readonly layerSimulatedNoDeps: Layer.Layer<Claude, never, Wire> = Layer.effect(this, makeSimulated)

  /** The simulator in process, with a bill of its own. */
  static readonly layerSimulated: Layer.Layer<Claude> = Layer.provide(Claude.layerSimulatedNoDeps, Simulator.layer)

  /** Answers from a transcript, in order: its assistant messages with their usage. */
  static readonly layerRecorded = (messages: ReadonlyArray<RecordedMessage>): Layer.Layer<Claude> =>
    Layer.effect(this, makeRecorded(messages))

  /** The Messages API at `baseUrl`, through the SDK. */
  static readonly layerAnthropic = (options: SdkOptions): Layer.Layer<Claude> =>
    Layer.effect(this, makeAnthropic(options))

  /** ANTHROPIC_BASE_URL with ANTHROPIC_API_KEY; without a key the simulator. One attempt per call. */
  static readonly layer: Layer.Layer<Claude, never, Settings> = Layer.unwrap(
    Effect.map(Settings, ({ anthropicApiKey, anthropicBaseUrl }) =>
      Option.match(anthropicApiKey, {
        onNone: () => Claude.layerSimulated,
        onSome: (apiKey) => Claude.layerAnthropic({ apiKey, baseUrl: anthropicBaseUrl })
      })
    )
  )

  /**
   * Retry and circuit breaker around the `Claude` that is provided, which it replaces:
   * `Claude.layerRetrying.pipe(Layer.provide(Claude.layer))`. See `makeRetrying`.
   */
  static readonly layerRetryingWith = (options: Partial<RetryOptions>): Layer.Layer<Claude, never, Claude> =>
    Layer.effect(
      this,
      Effect.flatMap(Claude, (inner) => makeRetrying(inner, { ...defaultRetry, ...options }))
    ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

  static readonly layerRetrying: Layer.Layer<Claude, never, Claude> = Claude.layerRetryingWith({})
}
