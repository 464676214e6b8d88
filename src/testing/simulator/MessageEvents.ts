import { type ContentBlock, isText, isToolUse } from "../../domain/Message.ts"
import type { ApiUsage, AssistantMessage, StreamEvent } from "../../domain/MessagesRequest.ts"

export interface MessageEventsOptions {
  /** Characters per delta; a block comes in one delta otherwise. */
  readonly deltaChars?: number | undefined
  /** Put a `ping` after `message_start`, as upstream does. */
  readonly ping?: boolean | undefined
}

const cut = (text: string, chars: number | undefined): ReadonlyArray<string> => {
  if (chars === undefined || text.length <= chars) return text === "" ? [] : [text]
  return text.match(new RegExp(`[\\s\\S]{1,${chars}}`, "gu")) ?? []
}

interface Streamed {
  /** The block as `content_block_start` shows it. */
  readonly start: ContentBlock
  readonly deltas: ReadonlyArray<Readonly<Record<string, unknown>>>
}

const streamed = (block: ContentBlock, chars: number | undefined): Streamed => {
  if (isText(block)) {
    const deltas = cut(block.text, chars).map((text) => ({ type: "text_delta", text }))
    return { start: { ...block, text: "" }, deltas }
  }
  if (isToolUse(block)) {
    const json = JSON.stringify(block.input) ?? "{}"
    const deltas = ["", ...cut(json, chars)].map((partial_json) => ({ type: "input_json_delta", partial_json }))
    return { start: { ...block, input: {} }, deltas }
  }
  if (block.type === "thinking" && typeof block.thinking === "string") {
    const deltas = cut(block.thinking, chars).map((thinking) => ({ type: "thinking_delta", thinking }))
    const signed = typeof block.signature === "string" ? [{ type: "signature_delta", signature: block.signature }] : []
    return { start: { ...block, thinking: "", signature: "" }, deltas: [...deltas, ...signed] }
  }
  return { start: block, deltas: [] }
}

const blockEvents = (block: ContentBlock, index: number, chars: number | undefined): ReadonlyArray<StreamEvent> => {
  const { deltas, start } = streamed(block, chars)
  return [
    { type: "content_block_start", index, content_block: start },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index }
  ]
}

/** What `message_start` tells: everything about the prompt, and a stub for the output; nothing of what comes first. */
const atStart = (message: AssistantMessage): AssistantMessage => {
  const { iterations: _, ...usage } = message.usage
  return {
    ...message,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usage, output_tokens: Math.min(1, usage.output_tokens ?? 0) }
  }
}

/** What `message_delta` repeats: cumulative totals, without the split by lifetime. */
const atEnd = (usage: ApiUsage): ApiUsage => ({
  input_tokens: usage.input_tokens ?? 0,
  cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  output_tokens: usage.output_tokens ?? 0,
  ...(usage.iterations === undefined ? {} : { iterations: usage.iterations })
})

/**
 * A whole message as the events that upstream would have streamed: `message_start`, its blocks, `message_delta`,
 * `message_stop`. Blocks of unknown types come whole in their start.
 */
export const messageEvents = (
  message: AssistantMessage,
  { deltaChars, ping = false }: MessageEventsOptions = {}
): ReadonlyArray<StreamEvent> => [
  { type: "message_start", message: atStart(message) },
  ...(ping ? [{ type: "ping" }] : []),
  ...message.content.flatMap((block, index) => blockEvents(block, index, deltaChars)),
  {
    type: "message_delta",
    delta: { stop_reason: message.stop_reason, stop_sequence: message.stop_sequence ?? null },
    usage: atEnd(message.usage)
  },
  { type: "message_stop" }
]
