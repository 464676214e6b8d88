import { Context, Effect, Layer, PubSub, Schema, Stream } from "effect"
import { SecureRandom } from "effect/crypto"
import type { SqlClient } from "effect/sql"
import { defaultCaller } from "../domain/Caller.ts"
import type { Agent, Conversation, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Settings } from "../Settings.ts"
import type { History, HistoryBound, ListPage, MessagesPage, NewConversation, NewMessage } from "./ChatInput.ts"
import * as Input from "./ChatInput.ts"
import { type ChatRepoError, ConversationNotFound } from "./ChatRepoError.ts"
import type { ChatStore } from "./ChatStore.ts"
import { Database, type DatabaseUnavailable } from "./Database.ts"
import * as MemoryStore from "./MemoryStore.ts"
import * as SqlStore from "./sql/SqlStore.ts"

export { type History, maxMessageBytes, type NewConversation, type NewMessage } from "./ChatInput.ts"
export { ChatRepoError, ConversationNotFound } from "./ChatRepoError.ts"

type Stored<A, E = never> = Effect.Effect<A, ChatRepoError | E>

/** Conversations and what belongs to them. Messages are append-only. An acknowledged write is on disk. */
export class ChatRepo extends Context.Service<
  ChatRepo,
  {
    /**
     * Creates a conversation, or returns the existing one as it is when the id is taken by the same tenant; another
     * tenant's is a `conflict`.
     */
    readonly create: (conversation: NewConversation) => Stored<Conversation>
    readonly get: (id: string) => Stored<Conversation, ConversationNotFound>
    /** Newest first, by keyset: `before` is the id of the last one seen. `limit` is 1 to 10,000. */
    readonly list: (page: ListPage) => Stored<ReadonlyArray<Conversation>>
    /**
     * Appends in order, all or none; sequence numbers continue without gaps, also under concurrent writers. The contents
     * that come back are the very objects that were given. No message may take more than 32 MiB as JSON.
     */
    readonly append: (
      id: string,
      messages: ReadonlyArray<NewMessage>
    ) => Stored<ReadonlyArray<StoredMessage>, ConversationNotFound>
    /** The ids of conversations as they are appended to here. A listener that falls behind misses some. */
    readonly appends: Stream.Stream<string>
    /**
     * Keyset, both bounds exclusive: the newest page, or the newest before `before`; with `after` alone the oldest after it
     * (`after: -1` reads from the start). Always in order of `seq`. `limit` is 1 to 10,000.
     */
    readonly messages: (id: string, page: MessagesPage) => Stored<ReadonlyArray<StoredMessage>, ConversationNotFound>
    /** Bounded in the query: newest messages until `maxTokens` or `limit` is reached; older ones as segments only. */
    readonly history: (id: string, bound: HistoryBound) => Stored<History, ConversationNotFound>
    /** By `from`, then detail; those of these hashes, or every one that was ever made, which grows with the conversation. */
    readonly segments: (
      id: string,
      hashes?: ReadonlyArray<string>
    ) => Stored<ReadonlyArray<Segment>, ConversationNotFound>
    /** Idempotent by hash: a segment that exists stays as it is. */
    readonly saveSegments: (id: string, segments: ReadonlyArray<Segment>) => Stored<void, ConversationNotFound>
    /** In order of name. */
    readonly agents: (id: string) => Stored<ReadonlyArray<Agent>, ConversationNotFound>
    /** Upserts by name; an older `lastSeq` never overwrites a newer one. */
    readonly saveAgents: (id: string, agents: ReadonlyArray<Agent>) => Stored<void, ConversationNotFound>
    /** The context's layout (JSON text of the context room), so that a prepared context is the same after a restart. */
    readonly layout: (id: string) => Stored<string | null, ConversationNotFound>
    readonly saveLayout: (id: string, layout: string) => Stored<void, ConversationNotFound>
  }
>()("sluice/chat/ChatRepo") {
  /** On whatever database `SqlClient` is; see `Database` for the two that are known to work. */
  static readonly layerNoDeps: Layer.Layer<ChatRepo, never, SqlClient.SqlClient> = Layer.effect(
    ChatRepo,
    Effect.flatMap(SqlStore.make, (store) => make(store))
  )

  /** On the database that the settings name. */
  static readonly layer: Layer.Layer<ChatRepo, DatabaseUnavailable, Settings> = Layer.provide(
    ChatRepo.layerNoDeps,
    Database.layer
  )

  /** Everything in this process, unbounded and gone with it: for specs. */
  static readonly layerMemory: Layer.Layer<ChatRepo> = Layer.effect(
    ChatRepo,
    Effect.flatMap(MemoryStore.make, (store) => make(store))
  )
}

const accept = {
  create: Input.accept(Input.NewConversation, "create a conversation"),
  list: Input.accept(Input.ListPage, "list conversations"),
  messages: Input.accept(Input.MessagesPage, "read messages"),
  history: Input.accept(Input.HistoryBound, "read the history"),
  segments: Input.accept(Input.Segments, "save segments"),
  agents: Input.accept(Input.Agents, "save agents"),
  layout: Input.accept(Input.Layout, "save the layout")
}

const isId = Schema.is(Input.ConversationId)

/** An id that cannot be stored is the id of nothing. */
const found = (id: string): Effect.Effect<void, ConversationNotFound> =>
  isId(id) ? Effect.void : Effect.fail(new ConversationNotFound({ conversation: id }))

const creating = (store: ChatStore, random: SecureRandom.SecureRandom["Service"]) =>
  Effect.fn("ChatRepo.create")(
    function* (conversation: NewConversation) {
      yield* accept.create(conversation)
      const id = conversation.id ?? (yield* random.uuidV7())
      const tenant = conversation.tenant ?? defaultCaller.tenant
      const stored = yield* store.create({ ...conversation, id, tenant })
      return stored.tenant === tenant ? stored : yield* Input.otherTenant(id)
    },
    // A conversation is never deleted: what was just created, or in the way, is there.
    Effect.catchTag("ConversationNotFound", Effect.die)
  )

const reading = <A, E>(name: string, read: (id: string) => Effect.Effect<A, E>) =>
  Effect.fn(`ChatRepo.${name}`)((id: string) => Effect.andThen(found(id), read(id)))

const taking = <I, A, E>(
  name: string,
  check: (input: I) => Effect.Effect<I, ChatRepoError>,
  run: (id: string, input: I) => Effect.Effect<A, E>
) =>
  Effect.fn(`ChatRepo.${name}`)((id: string, input: I) =>
    found(id).pipe(
      Effect.andThen(check(input)),
      Effect.flatMap((checked) => run(id, checked))
    )
  )

const appending = (store: ChatStore, appended: PubSub.PubSub<string>) =>
  Effect.fn("ChatRepo.append")(function* (id: string, messages: ReadonlyArray<NewMessage>) {
    yield* found(id)
    const encoded = yield* Input.encodeMessages(messages)
    if (encoded.length === 0) return yield* Effect.as(store.get(id), [])
    const stored = yield* store.append(id, encoded)
    PubSub.publishUnsafe(appended, id)
    return stored
  })

/** Appends that a listener may be behind. */
const appendsAhead = 1_024

/** The same checks in front of every store. */
const make = Effect.fnUntraced(function* (store: ChatStore) {
  const appended = yield* PubSub.dropping<string>(appendsAhead)
  return ChatRepo.of({
    create: creating(store, yield* SecureRandom.SecureRandom),
    get: reading("get", store.get),
    list: Effect.fn("ChatRepo.list")((page) => Effect.flatMap(accept.list(page), store.list)),
    append: appending(store, appended),
    appends: Stream.fromPubSub(appended),
    messages: taking("messages", accept.messages, store.messages),
    history: taking("history", accept.history, store.history),
    segments: Effect.fn("ChatRepo.segments")((id, hashes) => Effect.andThen(found(id), store.segments(id, hashes))),
    saveSegments: taking("saveSegments", accept.segments, store.saveSegments),
    agents: reading("agents", store.agents),
    saveAgents: taking("saveAgents", accept.agents, store.saveAgents),
    layout: reading("layout", store.layout),
    saveLayout: taking("saveLayout", accept.layout, store.saveLayout)
  })
}, Effect.provide(SecureRandom.layerWebCrypto))
