import { Cause, Option, type Tracer } from "effect"
import type { Caller } from "../domain/Caller.ts"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { toUsd } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Settlement } from "../governor/Governor.ts"

/** As OpenTelemetry's GenAI conventions name it: the operation and the model. */
export const spanName = ({ model }: MessagesRequest): string => `chat ${model}`

const parameters = {
  max_tokens: "gen_ai.request.max_tokens",
  temperature: "gen_ai.request.temperature",
  top_p: "gen_ai.request.top_p",
  top_k: "gen_ai.request.top_k"
} as const

// `parameters` is a const with exactly these keys.
const parameterEntries = Object.entries(parameters) as ReadonlyArray<[keyof typeof parameters, string]>

const sampling = (request: MessagesRequest): Record<string, unknown> =>
  Object.fromEntries(
    parameterEntries.flatMap(([field, name]) => (request[field] === undefined ? [] : [[name, request[field]]]))
  )

/** What is known before anything is asked. Prompts only when `captureContent` allows it. */
export const requestAttributes = (
  request: MessagesRequest,
  caller: Caller,
  captureContent: boolean
): Record<string, unknown> => ({
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "anthropic",
  "gen_ai.request.model": request.model,
  "gen_ai.agent.name": caller.agent,
  "sluice.tenant": caller.tenant,
  "sluice.priority": caller.priority,
  ...sampling(request),
  ...(caller.conversation === undefined ? {} : { "gen_ai.conversation.id": caller.conversation }),
  ...(captureContent
    ? {
        "gen_ai.input.messages": JSON.stringify(request.messages),
        "gen_ai.system_instructions": JSON.stringify(request.system ?? null)
      }
    : {})
})

/** What a request came to; its answer only where it was asked for. */
export const settled = (span: Tracer.Span, settlement: Settlement, answer: AssistantMessage | undefined): void => {
  const { usage } = settlement
  const attributes: Record<string, unknown> = {
    "gen_ai.response.model": settlement.model,
    "gen_ai.usage.input_tokens": promptTokens(usage),
    "gen_ai.usage.output_tokens": usage.output,
    "gen_ai.usage.cache_read.input_tokens": usage.cacheRead,
    "gen_ai.usage.cache_creation.input_tokens": usage.cacheWrite5m + usage.cacheWrite1h,
    "sluice.request.id": settlement.requestId,
    "sluice.cache": settlement.cache,
    "sluice.cost.usd": toUsd(settlement.costNanoUsd),
    "sluice.saved.usd": toUsd(settlement.savedNanoUsd),
    "sluice.queue.duration_ms": settlement.queueMillis,
    "sluice.partial": settlement.partial
  }
  if (answer !== undefined) attributes["gen_ai.output.messages"] = JSON.stringify([answer])
  for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "error"

/** Why there was no answer, by kind: messages may quote what was asked. */
export const failed = (span: Tracer.Span, cause: Cause.Cause<unknown>): void => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  const otherwise = Cause.hasInterruptsOnly(cause) ? "interrupted" : "defect"
  span.attribute("error.type", error === undefined ? otherwise : tagOf(error))
}
