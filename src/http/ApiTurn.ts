import { Schema } from "effect"
import { CacheOutcome } from "../domain/Event.ts"
import { Usage } from "../domain/Usage.ts"
import { Millis, Money, PercentOfLimit, Reduction } from "./ApiSchemas.ts"
import { TurnProblem } from "./Problem.ts"

const event = <const Name extends string, S extends Schema.Top>(name: Name, data: S) =>
  Schema.Struct({ event: Schema.Literal(name), data: Schema.fromJsonString(data) })

const Settled = Schema.Struct({
  requestId: Schema.String,
  model: Schema.String,
  usage: Usage,
  cost: Money,
  saved: Money,
  cache: CacheOutcome,
  queueMillis: Millis,
  upstreamMillis: Millis,
  partial: Schema.Boolean
}).annotate({ identifier: "Settled" })

export const TurnDone = Schema.Struct({
  message: Schema.Unknown.annotate({ description: "the assistant's last message, as the Messages API gives it" }),
  usage: Usage.annotate({ description: "of all requests of the turn" }),
  cost: Money,
  saved: Money,
  requests: Schema.Array(Settled),
  context: Schema.Struct({
    tokens: Schema.Finite,
    rawTokens: Schema.Finite,
    reduction: Reduction,
    percentOfLimit: PercentOfLimit,
    segments: Schema.Natural
  })
}).annotate({ identifier: "TurnDone" })

/** What a turn tells while it runs; `message` or `error` is the last one. */
export const TurnSse = Schema.Union([
  event("text_delta", Schema.Struct({ text: Schema.String })),
  event("tool_call", Schema.Struct({ id: Schema.String, name: Schema.String, input: Schema.Unknown })),
  event("tool_result", Schema.Struct({ id: Schema.String, isError: Schema.Boolean, content: Schema.Unknown })),
  event("message", TurnDone),
  event("error", TurnProblem)
])
export type TurnSse = typeof TurnSse.Type
