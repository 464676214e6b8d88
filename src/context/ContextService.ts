import type { Effect } from "effect"
import type { ChatRepoError, ConversationNotFound } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { ContextTooLarge, PreparedContext, Shell } from "./PreparedContext.ts"

export interface ContextStats {
  readonly conversation: string
  readonly rawMessages: number
  readonly rawTokens: number
  readonly tokens: number
  readonly upperBound: number
  readonly percentOfLimit: number
  /** Share of the raw tokens that is not sent, 0 to 1. */
  readonly reduction: number
  readonly segments: number
  readonly compactions: number
}

/** What a ContextManager does, managed or not. */
export interface ContextService {
  readonly prepare: (
    conversation: string,
    shell: Shell
  ) => Effect.Effect<PreparedContext, ContextTooLarge | ConversationNotFound | ChatRepoError>
  /** Tells the manager what was just stored, so that the next `prepare` need not read it again. */
  readonly appended: (conversation: string, messages: ReadonlyArray<StoredMessage>) => Effect.Effect<void>
  /**
   * Makes the next `prepare` leave out all thinking up to now, for a history that upstream refused. Answers whether
   * that changes anything: if not, trying again will not help.
   */
  readonly repair: (conversation: string) => Effect.Effect<boolean, ConversationNotFound | ChatRepoError>
  /** Keeps a message in its own words (up to 2,000 characters) in every context from the next compaction on. */
  readonly pin: (conversation: string, seq: number) => Effect.Effect<void, ConversationNotFound | ChatRepoError>
  readonly unpin: (conversation: string, seq: number) => Effect.Effect<void, ConversationNotFound | ChatRepoError>
  readonly stats: (conversation: string) => Effect.Effect<ContextStats, ConversationNotFound | ChatRepoError>
  /** The newest turns of a stateless request that fit `maxTokens`, cut only where a turn starts. */
  readonly trimToLimit: (request: MessagesRequest, maxTokens: number) => Effect.Effect<MessagesRequest, ContextTooLarge>
}
