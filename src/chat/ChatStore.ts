import type { Effect } from "effect"
import type { Agent, Conversation, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Encoded, History, HistoryBound, IdentifiedConversation, ListPage, MessagesPage } from "./ChatInput.ts"
import type { ChatRepoError, ConversationNotFound } from "./ChatRepoError.ts"

type Stored<A> = Effect.Effect<A, ChatRepoError>
type Found<A> = Effect.Effect<A, ChatRepoError | ConversationNotFound>

/** Where a ChatRepo keeps things. What comes in has been checked; the meaning of each method is ChatRepo's. */
export interface ChatStore {
  /** Returns the existing conversation when the id is taken, whoever owns it. */
  readonly create: (conversation: IdentifiedConversation) => Found<Conversation>
  readonly get: (id: string) => Found<Conversation>
  readonly list: (page: ListPage) => Stored<ReadonlyArray<Conversation>>
  /** At least one message. */
  readonly append: (id: string, messages: ReadonlyArray<Encoded>) => Found<ReadonlyArray<StoredMessage>>
  readonly messages: (id: string, page: MessagesPage) => Found<ReadonlyArray<StoredMessage>>
  readonly history: (id: string, bound: HistoryBound) => Found<History>
  readonly segments: (id: string, hashes?: ReadonlyArray<string>) => Found<ReadonlyArray<Segment>>
  readonly saveSegments: (id: string, segments: ReadonlyArray<Segment>) => Found<void>
  /** In order of name. */
  readonly agents: (id: string) => Found<ReadonlyArray<Agent>>
  readonly saveAgents: (id: string, agents: ReadonlyArray<Agent>) => Found<void>
  readonly layout: (id: string) => Found<string | null>
  readonly saveLayout: (id: string, layout: string) => Found<void>
}
