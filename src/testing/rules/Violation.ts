import type { ContentBlock, Message } from "../../domain/Message.ts"
import type { MessagesRequest, ToolDefinition } from "../../domain/MessagesRequest.ts"

/** The name of a structure rule, stable for tests and counters. */
export type Rule =
  | "messages_required"
  | "too_many_messages"
  | "first_message_user"
  | "system_placement"
  | "prefill_unsupported"
  | "trailing_whitespace"
  | "content_required"
  | "text_empty"
  | "text_blank"
  | "block_role"
  | "thinking_signature"
  | "tool_use_unanswered"
  | "tool_result_orphaned"
  | "tool_result_first"
  | "tool_result_repeated"
  | "server_tool_unresolved"
  | "server_result_orphaned"
  | "tool_id_unique"
  | "tool_id_pattern"
  | "tool_name_unique"
  | "tool_name_pattern"
  | "tool_choice"
  | "max_tokens"
  | "sampling_refused"
  | "thinking_mode"
  | "cache_breakpoints"
  | "cache_order"
  | "cache_misplaced"
  | "cache_ttl"
  | "compaction_beta"
  | "compaction_parameter"
  | "compaction_combined"
  | "compaction_incomplete_turn"
  | "compaction_nothing_to_summarize"
  | "compaction_block_misplaced"
  | "compaction_block_ambiguous"
  | "compaction_block_fields"

/** A broken rule; `message` is the whole text of the 400, path included. */
export interface Violation {
  readonly rule: Rule
  /** Dotted, as upstream writes it: `messages.2.content.0`. */
  readonly path: string
  readonly message: string
}

/** A request with its optional parts filled in. */
export interface Checked {
  readonly request: {
    readonly model: string
    readonly messages: ReadonlyArray<Message>
    readonly max_tokens?: unknown
    readonly [field: string]: unknown
  }
  readonly system: NonNullable<MessagesRequest["system"]>
  readonly tools: ReadonlyArray<ToolDefinition>
}

export const violation = (rule: Rule, path: string, text: string): Violation => ({
  rule,
  path,
  message: `${path}: ${text}`
})

export interface Placed {
  readonly block: ContentBlock
  readonly path: string
}

/** The blocks of one message with their paths; string content is one block whose path is the message's. */
export const placed = (message: Message, index: number): ReadonlyArray<Placed> =>
  typeof message.content === "string"
    ? [{ block: { type: "text", text: message.content }, path: `messages.${index}` }]
    : message.content.map((block, at) => ({ block, path: `messages.${index}.content.${at}` }))

export interface MergedTurn {
  readonly role: Message["role"]
  readonly index: number
  readonly blocks: ReadonlyArray<Placed>
}

/** Neighbours of one role as one turn, which is how upstream reads them. */
export const merged = (messages: ReadonlyArray<Message>): ReadonlyArray<MergedTurn> => {
  const turns: Array<{ role: Message["role"]; index: number; blocks: Array<Placed> }> = []
  messages.forEach((message, index) => {
    const last = turns.at(-1)
    if (last?.role === message.role) last.blocks.push(...placed(message, index))
    else turns.push({ role: message.role, index, blocks: [...placed(message, index)] })
  })
  return turns
}
