import { type ContentBlock, isText, isToolUse } from "../../domain/Message.ts"
import type { ApiUsage, AssistantMessage, StreamEvent } from "../../domain/MessagesRequest.ts"

/** One event, and the output tokens that were generated for it. */
export interface Step {
  readonly event: StreamEvent
  readonly tokens: number
}

/** Characters per delta: about four tokens. */
const deltaChars = 16

const pieces = (text: string): ReadonlyArray<string> => text.match(new RegExp(`[\\s\\S]{1,${deltaChars}}`, "gu")) ?? []

interface Streamed {
  /** The block as `content_block_start` shows it. */
  readonly start: ContentBlock
  readonly deltas: ReadonlyArray<Readonly<Record<string, unknown>>>
}

const streamed = (block: ContentBlock): Streamed => {
  if (isText(block)) {
    const deltas = pieces(block.text).map((text) => ({ type: "text_delta", text }))
    return { start: { ...block, text: "" }, deltas }
  }
  if (isToolUse(block)) {
    const json = JSON.stringify(block.input) ?? "{}"
    const deltas = ["", ...pieces(json)].map((partial_json) => ({ type: "input_json_delta", partial_json }))
    return { start: { ...block, input: {} }, deltas }
  }
  if (block.type === "thinking" && typeof block.thinking === "string") {
    const deltas = pieces(block.thinking).map((thinking) => ({ type: "thinking_delta", thinking }))
    const signature = { type: "signature_delta", signature: block.signature ?? "" }
    return { start: { ...block, thinking: "", signature: "" }, deltas: [...deltas, signature] }
  }
  return { start: block, deltas: [] }
}

const blockEvents = (block: ContentBlock, index: number): ReadonlyArray<StreamEvent> => {
  const { deltas, start } = streamed(block)
  return [
    { type: "content_block_start", index, content_block: start },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index }
  ]
}

/** What `message_start` tells: everything about the prompt, and a stub for the output. */
const atStart = (message: AssistantMessage): AssistantMessage => ({
  ...message,
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { ...message.usage, output_tokens: Math.min(1, message.usage.output_tokens ?? 0) }
})

/** What `message_delta` repeats: cumulative totals, without the split by lifetime. */
const atEnd = (usage: ApiUsage): ApiUsage => ({
  input_tokens: usage.input_tokens ?? 0,
  cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  output_tokens: usage.output_tokens ?? 0
})

/** Spreads `total` over the deltas, the last one taking what is left. */
const spread = (events: ReadonlyArray<StreamEvent>, total: number): ReadonlyArray<Step> => {
  const deltas = events.filter((event) => event.type === "content_block_delta").length
  let seen = 0
  let spent = 0
  return events.map((event) => {
    if (event.type !== "content_block_delta") return { event, tokens: 0 }
    seen++
    const due = Math.floor((total * seen) / deltas)
    const tokens = due - spent
    spent = due
    return { event, tokens }
  })
}

/**
 * A whole message as the events upstream would have sent: `message_start`, a `ping`, the blocks, `message_delta`,
 * `message_stop`. The tokens of all steps add up to the message's `output_tokens`.
 */
export const eventScript = (message: AssistantMessage): ReadonlyArray<Step> => {
  const total = message.usage.output_tokens ?? 0
  const body = spread(message.content.flatMap(blockEvents), total)
  const left = total - body.reduce((sum, step) => sum + step.tokens, 0)
  const delta = { stop_reason: message.stop_reason, stop_sequence: message.stop_sequence ?? null }
  return [
    { event: { type: "message_start", message: atStart(message) }, tokens: 0 },
    { event: { type: "ping" }, tokens: 0 },
    ...body,
    { event: { type: "message_delta", delta, usage: atEnd(message.usage) }, tokens: left },
    { event: { type: "message_stop" }, tokens: 0 }
  ]
}
