import { Schema } from "effect"
import type { Band } from "../domain/Conversation.ts"
import type { ContentBlock, Message } from "../domain/Message.ts"
import type { ToolDefinition } from "../domain/MessagesRequest.ts"
import type { Decision } from "./CompactionPolicy.ts"

export class ContextTooLarge extends Schema.TaggedError<ContextTooLarge>()("ContextTooLarge", {
  conversation: Schema.String,
  /** Sequence number of the message that cannot fit; -1 when system prompt and tools alone are too large. */
  seq: Schema.Int,
  tokens: Schema.Natural,
  limit: Schema.Natural
}) {
  override get message(): string {
    const what = this.seq < 0 ? "The system prompt and tools" : `Message ${this.seq}`
    return `${what} of conversation "${this.conversation}" may take ${this.tokens} tokens, over the limit of ${this.limit}. Shorten it or raise MAX_CONTEXT_TOKENS.`
  }
}

/** An item of a prepared context: a segment (one condensed run) or a full message. `[from, to)` are message numbers. */
export interface ContextEntry {
  readonly band: Band
  readonly from: number
  readonly to: number
  readonly tokens: number
  readonly segment: boolean
  /** What a segment says. */
  readonly text?: string
}

/** What surrounds the conversation in the request. Both may be empty. */
export interface Shell {
  readonly model: string
  readonly system?: string | ReadonlyArray<ContentBlock> | undefined
  readonly tools?: ReadonlyArray<ToolDefinition> | undefined
}

/** Five minutes without a `ttl`. */
export interface CacheControl {
  readonly type: "ephemeral"
  readonly ttl?: "1h"
}

export interface PreparedContext {
  /** Ready to be sent: roles alternate legally, breakpoints stand behind the segments. */
  readonly messages: ReadonlyArray<Message>
  readonly system: string | ReadonlyArray<ContentBlock> | undefined
  readonly tools: ReadonlyArray<ToolDefinition> | undefined
  readonly entries: ReadonlyArray<ContextEntry>
  readonly estimatedTokens: number
  readonly upperBound: number
  /** The whole history, had it been sent. */
  readonly rawMessages: number
  readonly rawTokens: number
  /**
   * The request's own `cache_control`: upstream then keeps a breakpoint on the last block, wherever that is, and no
   * message changes its bytes because a marker moved on.
   */
  readonly cacheControl: CacheControl | undefined
  /** True when system, tools and heavy segments are to be kept for an hour. */
  readonly longLived: boolean
  /**
   * What carries a breakpoint: system or tools, segments by band, where the previous request ended (when more follows than
   * upstream looks back over), and the end (through `cacheControl`). At most four.
   */
  readonly breakpoints: ReadonlyArray<"system" | "tools" | "old" | "mid" | "round" | "end">
  /** What the request needs in `anthropic-beta`. */
  readonly betas: ReadonlyArray<string>
  /** Why a compaction happened for this request, if one did. */
  readonly compaction: string | undefined
  /** What the policy decided for this request, and what compacting was expected to save, in nano-dollars. */
  readonly decision: Decision
}
