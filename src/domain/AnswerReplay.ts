import { Stream } from "effect"
import type { ContentBlock } from "./Message.ts"
import type { ApiUsage, AssistantMessage, StreamEvent } from "./MessagesRequest.ts"

type Fields = Record<string, unknown>

const toolInputs: ReadonlySet<string> = new Set(["tool_use", "server_tool_use", "mcp_tool_use"])

/** How a block opens on the wire, and the deltas that fill it. Unknown blocks open complete. */
const unfold = (block: ContentBlock): readonly [ContentBlock, ReadonlyArray<Fields>] => {
  if (block.type === "text" && typeof block.text === "string") {
    const citations = Array.isArray(block.citations) ? block.citations : []
    const opened = { ...block, text: "", ...(citations.length > 0 ? { citations: [] } : {}) }
    const cited = citations.map((citation) => ({ type: "citations_delta", citation }))
    return [opened, block.text === "" ? cited : [{ type: "text_delta", text: block.text }, ...cited]]
  }
  if (block.type === "thinking" && typeof block.thinking === "string") {
    const signed = typeof block.signature === "string"
    const thought = block.thinking === "" ? [] : [{ type: "thinking_delta", thinking: block.thinking }]
    return [
      { ...block, thinking: "", ...(signed ? { signature: "" } : {}) },
      signed ? [...thought, { type: "signature_delta", signature: block.signature }] : thought
    ]
  }
  if (toolInputs.has(block.type) && block.input !== undefined) {
    return [{ ...block, input: {} }, [{ type: "input_json_delta", partial_json: JSON.stringify(block.input) }]]
  }
  // A signed one was asked for by itself and comes whole.
  if (block.type === "compaction" && typeof block.signature !== "string") {
    const encrypted = "encrypted_content" in block ? { encrypted_content: block.encrypted_content } : {}
    return [{ ...block, content: null }, [{ type: "compaction_delta", content: block.content ?? null, ...encrypted }]]
  }
  return [block, []]
}

const blockEvents = (block: ContentBlock, index: number): ReadonlyArray<StreamEvent> => {
  const [opened, deltas] = unfold(block)
  return [
    { type: "content_block_start", index, content_block: opened },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index }
  ]
}

const present = (source: Fields, fields: ReadonlyArray<string>): Fields =>
  Object.fromEntries(fields.filter((field) => field in source).map((field) => [field, source[field]]))

const cumulative = [
  "input_tokens",
  "cache_creation_input_tokens",
  "cache_read_input_tokens",
  "output_tokens",
  "output_tokens_details",
  "server_tool_use",
  "iterations"
]
const endings = ["stop_reason", "stop_sequence", "stop_details"]

const stubbed = (usage: ApiUsage): ApiUsage =>
  typeof usage.output_tokens === "number" ? { ...usage, output_tokens: Math.min(1, usage.output_tokens) } : usage

/** A whole answer as the server-sent events that upstream would have streamed: one delta per block. */
export const replayEvents = (answer: AssistantMessage): ReadonlyArray<StreamEvent> => {
  const open = Object.fromEntries(Object.keys(present(answer, endings)).map((field) => [field, null]))
  return [
    { type: "message_start", message: { ...answer, ...open, content: [], usage: stubbed(answer.usage) } },
    ...answer.content.flatMap(blockEvents),
    { type: "message_delta", delta: present(answer, endings), usage: present(answer.usage, cumulative) },
    { type: "message_stop" }
  ]
}

/** `replayEvents` as a stream. */
export const replay = (answer: AssistantMessage): Stream.Stream<StreamEvent> => Stream.fromArray(replayEvents(answer))
