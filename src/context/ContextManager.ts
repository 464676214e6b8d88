import { Context, type Effect, Schema } from "effect"
import type { ChatRepoError, ConversationNotFound } from "../chat/ChatRepo.ts"
import type { Band, StoredMessage } from "../domain/Conversation.ts"
import type { ContentBlock, Message } from "../domain/Message.ts"
import type { MessagesRequest, ToolDefinition } from "../domain/MessagesRequest.ts"

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
}

/** What surrounds the conversation in the request. Both may be empty. */
export interface Shell {
  readonly model: string
  readonly system?: string | ReadonlyArray<ContentBlock> | undefined
  readonly tools?: ReadonlyArray<ToolDefinition> | undefined
}

export interface PreparedContext {
  /** Ready to be sent: breakpoints (`cache_control`) are placed, roles alternate legally. */
  readonly messages: ReadonlyArray<Message>
  readonly system: string | ReadonlyArray<ContentBlock> | undefined
  readonly tools: ReadonlyArray<ToolDefinition> | undefined
  readonly entries: ReadonlyArray<ContextEntry>
  readonly estimatedTokens: number
  readonly upperBound: number
  /** The whole history, had it been sent. */
  readonly rawMessages: number
  readonly rawTokens: number
  /** Indexes into `messages` that carry a breakpoint, plus "system" or "tools". */
  readonly breakpoints: ReadonlyArray<number | "system" | "tools">
  /** Why a compaction happened for this request, if one did. */
  readonly compaction: string | undefined
}

export interface ContextStats {
  readonly conversation: string
  readonly rawMessages: number
  readonly rawTokens: number
  readonly tokens: number
  readonly upperBound: number
  readonly percentOfLimit: number
  readonly reduction: number
  readonly segments: number
  readonly compactions: number
}

/** Keeps a conversation's context small, stable and legal. Guarantees: docs/architecture.md, invariants 2 to 4. */
export class ContextManager extends Context.Service<
  ContextManager,
  {
    readonly prepare: (
      conversation: string,
      shell: Shell
    ) => Effect.Effect<PreparedContext, ContextTooLarge | ConversationNotFound | ChatRepoError>
    /** Tells the manager what was just stored, so that the next `prepare` need not read it again. */
    readonly appended: (conversation: string, messages: ReadonlyArray<StoredMessage>) => Effect.Effect<void>
    readonly stats: (conversation: string) => Effect.Effect<ContextStats, ConversationNotFound | ChatRepoError>
    /** The newest messages of a stateless request that fit `maxTokens`, cut only where a turn starts. */
    readonly trimToLimit: (
      request: MessagesRequest,
      maxTokens: number
    ) => Effect.Effect<MessagesRequest, ContextTooLarge>
  }
>()("sluice/context/ContextManager") {}
