import type { AssistantMessage } from "../domain/MessagesRequest.ts"

/** The model came to its own end. Not `max_tokens` or a full window (cut off), `refusal`, `pause_turn`, `compaction`, null. */
const whole: ReadonlySet<string | null> = new Set(["end_turn", "stop_sequence"])

/** `tool_use`, and what upstream ran itself (`server_tool_use`, `mcp_tool_use`): its result was true at that moment. */
const callsTool = (block: { readonly type: string }): boolean => block.type.endsWith("tool_use")

/**
 * Whether an answer may be given again to the same question: it is whole, it says something, and, unless `toolCalls`
 * are allowed, it starts nothing.
 */
export const isStorable = (answer: AssistantMessage, toolCalls: boolean): boolean =>
  answer.type === "message" &&
  answer.content.length > 0 &&
  (whole.has(answer.stop_reason) || (toolCalls && answer.stop_reason === "tool_use")) &&
  (toolCalls || !answer.content.some(callsTool))
