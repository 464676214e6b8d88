import { Schema } from "effect"
import { type ContentBlock, isMessage, type Message } from "./Message.ts"

/** A tool definition as the API takes it; open. */
export interface ToolDefinition {
  readonly name: string
  readonly [field: string]: unknown
}

/** The body of `POST /v1/messages`; open: fields not named here are forwarded untouched. */
export interface MessagesRequest {
  readonly model: string
  readonly max_tokens: number
  readonly messages: ReadonlyArray<Message>
  readonly system?: string | ReadonlyArray<ContentBlock>
  readonly tools?: ReadonlyArray<ToolDefinition>
  readonly stream?: boolean
  readonly [field: string]: unknown
}

export const isMessagesRequest = (u: unknown): u is MessagesRequest => {
  if (typeof u !== "object" || u === null) return false
  const r = u as Record<string, unknown>
  return (
    typeof r.model === "string" &&
    typeof r.max_tokens === "number" &&
    Array.isArray(r.messages) &&
    r.messages.every(isMessage)
  )
}

export const MessagesRequest = Schema.declare(isMessagesRequest, {
  identifier: "MessagesRequest",
  expected: "a Messages API body with `model`, `max_tokens` and `messages`"
})

/** A whole answer of the Messages API (`type: "message"`); open. `usage` is the API's own shape: see `Usage.fromApi`. */
export interface AssistantMessage {
  readonly id: string
  readonly type: "message"
  readonly role: "assistant"
  readonly model: string
  readonly content: ReadonlyArray<ContentBlock>
  readonly stop_reason: string | null
  readonly usage: ApiUsage
  readonly [field: string]: unknown
}

/** `usage` on the wire (reference: Messages API, usage). Every field may be missing or null. Counts are tokens. */
export interface ApiUsage {
  readonly input_tokens?: number | null
  readonly output_tokens?: number | null
  readonly cache_creation_input_tokens?: number | null
  readonly cache_read_input_tokens?: number | null
  readonly cache_creation?: {
    readonly ephemeral_5m_input_tokens?: number | null
    readonly ephemeral_1h_input_tokens?: number | null
  } | null
  readonly [field: string]: unknown
}

/** One server-sent event of a stream: `event` is its name, `data` the parsed JSON (open), as the API sent it. */
export interface StreamEvent {
  readonly type: string
  readonly [field: string]: unknown
}
