import { Context, type Effect, Schema } from "effect"
import type { Agent, Conversation, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Content, Role } from "../domain/Message.ts"

export class ConversationNotFound extends Schema.TaggedError<ConversationNotFound>()("ConversationNotFound", {
  conversation: Schema.String
}) {
  override get message(): string {
    return `There is no conversation "${this.conversation}". Create it first, or list the existing ones.`
  }
}

/** The database did not do what it was asked. `reason` is for the log; nothing that was acknowledged is lost. */
export class ChatRepoError extends Schema.TaggedError<ChatRepoError>()("ChatRepoError", {
  operation: Schema.String,
  reason: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `The database could not ${this.operation}: ${this.reason}.${this.retryable ? " Try again." : ""}`
  }
}

export interface NewConversation {
  readonly id?: string | undefined
  readonly tenant?: string | undefined
  readonly title?: string | undefined
  readonly model?: string | undefined
}

export interface NewMessage {
  readonly role: Role
  readonly content: Content
  /** Estimated tokens. */
  readonly tokens: number
}

/** The newest messages that fit a token budget, oldest first, and the segments that cover what lies before them. */
export interface History {
  readonly messages: ReadonlyArray<StoredMessage>
  readonly segments: ReadonlyArray<Segment>
}

type Stored<A, E = never> = Effect.Effect<A, ChatRepoError | E>

/** Conversations and what belongs to them. Messages are append-only. An acknowledged write is on disk. */
export class ChatRepo extends Context.Service<
  ChatRepo,
  {
    /** Creates a conversation, or returns the existing one when the id is taken by the same tenant. */
    readonly create: (conversation: NewConversation) => Stored<Conversation>
    readonly get: (id: string) => Stored<Conversation, ConversationNotFound>
    /** Newest first, by keyset: `before` is the id of the last one seen. */
    readonly list: (page: {
      readonly tenant?: string | undefined
      readonly before?: string | undefined
      readonly limit: number
    }) => Stored<ReadonlyArray<Conversation>>
    /** Appends in order, all or none; sequence numbers continue without gaps, also under concurrent writers. */
    readonly append: (
      id: string,
      messages: ReadonlyArray<NewMessage>
    ) => Stored<ReadonlyArray<StoredMessage>, ConversationNotFound>
    /**
     * Keyset, both bounds exclusive: the newest page, or the newest before `before`; with `after` alone the oldest after it
     * (`after: -1` reads from the start). Always in order of `seq`. `limit` is 1 to 10,000.
     */
    readonly messages: (
      id: string,
      page: { readonly before?: number | undefined; readonly after?: number | undefined; readonly limit: number }
    ) => Stored<ReadonlyArray<StoredMessage>, ConversationNotFound>
    /** Bounded in the query: newest messages until `maxTokens` or `limit` is reached; older ones as segments only. */
    readonly history: (
      id: string,
      bound: { readonly maxTokens: number; readonly limit: number }
    ) => Stored<History, ConversationNotFound>
    /** By `from`, then detail. */
    readonly segments: (id: string) => Stored<ReadonlyArray<Segment>, ConversationNotFound>
    /** Idempotent by hash: a segment that exists stays as it is. */
    readonly saveSegments: (id: string, segments: ReadonlyArray<Segment>) => Stored<void, ConversationNotFound>
    readonly agents: (id: string) => Stored<ReadonlyArray<Agent>, ConversationNotFound>
    /** Upserts by name; an older `lastSeq` never overwrites a newer one. */
    readonly saveAgents: (id: string, agents: ReadonlyArray<Agent>) => Stored<void, ConversationNotFound>
    /** The context's layout (JSON text of the context room), so that a prepared context is the same after a restart. */
    readonly layout: (id: string) => Stored<string | null, ConversationNotFound>
    readonly saveLayout: (id: string, layout: string) => Stored<void, ConversationNotFound>
  }
>()("sluice/chat/ChatRepo") {}
