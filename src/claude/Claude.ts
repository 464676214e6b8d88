import { Context, Layer } from "effect"
import { makeRecorded, type RecordedMessage } from "./ClaudeRecorded.ts"
import type { ClaudeService } from "./ClaudeService.ts"
import { makeSimulated } from "./ClaudeSimulated.ts"
import type { Wire } from "./Wire.ts"

export type { RecordedMessage } from "./ClaudeRecorded.ts"
export type { AttemptEvent, CallOptions, ClaudeAnswer, ClaudeStream, CountTokensRequest } from "./ClaudeService.ts"

/** The upstream: one call, one attempt. Retry and the circuit breaker are in `claude/Retry.ts`, around it. */
export class Claude extends Context.Service<Claude, ClaudeService>()("sluice/claude/Claude") {
  /** Over the `Wire` that is provided: with `Simulator.layer` (sluice/testing) the simulator in process. */
  static readonly layerSimulated: Layer.Layer<Claude, never, Wire> = Layer.effect(this, makeSimulated)

  /** Answers from a transcript, in order: its assistant messages with their usage. */
  static readonly layerRecorded = (messages: ReadonlyArray<RecordedMessage>): Layer.Layer<Claude> =>
    Layer.effect(this, makeRecorded(messages))
}
