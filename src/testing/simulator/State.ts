import { type Duration, Redacted } from "effect"
import type { WireCall } from "../../claude/Wire.ts"
import type { Bill } from "./Bill.ts"
import type { Diagnoses } from "./Diagnoses.ts"
import type { Fault } from "./Faults.ts"
import type { LimitOptions, Limits } from "./Limits.ts"
import type { PromptCache } from "./PromptCache.ts"
import type { Answer, Rule } from "./Responder.ts"

export interface SimulatorOptions {
  /** Until the response headers; what is written to the prompt cache is usable then. None by default. */
  readonly firstByte?: Duration.Input | undefined
  /** Per output token. None by default: a whole stream arrives at once. */
  readonly perToken?: Duration.Input | undefined
  readonly limits?: LimitOptions | undefined
  /** The caller's own answers; see `respond` for what answers otherwise. */
  readonly rule?: Rule | undefined
  /** Refuse calls without a key. Off by default in process, on over HTTP. */
  readonly requireKey?: boolean | undefined
  /** Single entries of the bill that are kept; totals are kept for ever. 100,000 by default. */
  readonly maxBillEntries?: number | undefined
  /**
   * Load the tokenizer when the layer is built (0.2 s) instead of at the first call. On by default, so that a test clock
   * never waits for a module.
   */
  readonly preload?: boolean | undefined
  /** Silence after which an in-process stream fails with `TimedOut`. Four minutes by default. */
  readonly idle?: Duration.Input | undefined
}

/** Everything the simulator remembers; all of it bounded but the faults and answers that a test queues itself. */
export interface State {
  readonly options: SimulatorOptions
  readonly bill: Bill
  readonly limits: Limits
  readonly cache: PromptCache
  readonly diagnoses: Diagnoses
  readonly faults: Array<Fault>
  readonly answers: Array<Answer>
  /** A fresh id of a kind: `req`, `msg`, `toolu`. Unique over restarts. */
  readonly id: (kind: string) => string
}

/** A call, and how much silence its caller bears: in process the simulator keeps the caller's time-outs itself. */
export interface SimulatedCall extends WireCall {
  /** Milliseconds without an event; infinite when the caller is at the other end of a socket. */
  readonly idleMillis: number
}

/** The key a call was made with, wherever it was put. */
export const keyOf = (call: WireCall): string | undefined =>
  call.apiKey === undefined
    ? (call.headers["x-api-key"] ?? call.headers.authorization?.replace(/^Bearer /i, ""))
    : Redacted.value(call.apiKey)
