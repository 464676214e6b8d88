import type { Effect } from "effect"
import type { ChatRepoError, ConversationNotFound } from "../chat/ChatRepo.ts"
import type { Segment, StoredMessage } from "../domain/Conversation.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Usage } from "../domain/Usage.ts"
import type { MessageNotFound, TooManyPins } from "./Pins.ts"
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

/** What stands for the messages `[from, to)`. `createdAt`: milliseconds since the epoch, of the last one. */
export type LastSummary = Omit<Segment, "hash">

/** What a ContextManager does, managed or not. */
export interface ContextService {
  readonly prepare: (
    conversation: string,
    shell: Shell
  ) => Effect.Effect<PreparedContext, ContextTooLarge | ConversationNotFound | ChatRepoError>
  /**
   * What would be sent now if nothing were compacted, and what the policy would decide. Changes nothing: to look at a
   * conversation is no request of it.
   */
  readonly preview: (
    conversation: string,
    shell: Shell
  ) => Effect.Effect<PreparedContext, ConversationNotFound | ChatRepoError>
  /** Tells the manager what was just stored, so that the next `prepare` need not read it again. */
  readonly appended: (conversation: string, messages: ReadonlyArray<StoredMessage>) => Effect.Effect<void>
  /** Tells what upstream says the last prepared request consumed: what its cache really serves goes into the next decision. */
  readonly settled: (conversation: string, usage: Usage) => Effect.Effect<void>
  /**
   * Makes the next `prepare` leave out all thinking up to now, and upstream's own block, for a history that upstream
   * refused. Answers whether that changes anything: if not, trying again will not help.
   */
  readonly repair: (conversation: string) => Effect.Effect<boolean, ConversationNotFound | ChatRepoError>
  /** Keeps a message in its own words (up to 2,000 characters) in every context from the next compaction on. Ten at most. */
  readonly pin: (
    conversation: string,
    seq: number
  ) => Effect.Effect<void, ConversationNotFound | MessageNotFound | TooManyPins | ChatRepoError>
  readonly unpin: (conversation: string, seq: number) => Effect.Effect<void, ConversationNotFound | ChatRepoError>
  /** The numbers of the pinned messages, in order. */
  readonly pins: (conversation: string) => Effect.Effect<ReadonlyArray<number>, ConversationNotFound | ChatRepoError>
  /** The newest segment, which stands for the youngest of the condensed messages; undefined when nothing is condensed. */
  readonly lastSummary: (
    conversation: string
  ) => Effect.Effect<LastSummary | undefined, ConversationNotFound | ChatRepoError>
  readonly stats: (conversation: string) => Effect.Effect<ContextStats, ConversationNotFound | ChatRepoError>
  /** The newest turns of a stateless request that fit `maxTokens`, cut only where a turn starts. */
  readonly trimToLimit: (request: MessagesRequest, maxTokens: number) => Effect.Effect<MessagesRequest, ContextTooLarge>
}
