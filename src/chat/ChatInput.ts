import { Effect, Schema } from "effect"
import { Agent, Segment, type StoredMessage } from "../domain/Conversation.ts"
import { parseJson } from "../domain/Json.ts"
import { Content, isContent } from "../domain/Message.ts"
import { ChatRepoError, type ChatRepoErrorKind } from "./ChatRepoError.ts"

/** The newest messages that fit a token budget, oldest first, and the segments that cover what lies before them. */
export interface History {
  readonly messages: ReadonlyArray<StoredMessage>
  readonly segments: ReadonlyArray<Segment>
}

// What Postgres can hold: no NUL, no half of a surrogate pair; an index entry stays under 2.7 kB; integers of 32 bits.
const storable = Schema.makeFilter((text: string) => (text.isWellFormed() && !text.includes("\0")) || "printable text")
const name = Schema.String.check(
  Schema.isMinLength(1),
  Schema.isMaxLength(200),
  Schema.isPattern(/^\P{Cc}*$/u),
  storable
)
const count = Schema.Natural.check(Schema.isLessThanOrEqualTo(2_147_483_647))

export const ConversationId = name
export const NewConversation = Schema.Struct({
  /** Made by the caller, 1 to 200 characters; left out, a UUIDv7. */
  id: Schema.optional(ConversationId),
  tenant: Schema.optional(name),
  /** Up to 500 characters. */
  title: Schema.optional(Schema.String.check(Schema.isMaxLength(500), storable)),
  model: Schema.optional(name)
})
export interface NewConversation extends Schema.Schema.Type<typeof NewConversation> {}

/** A conversation to be created, its defaults filled in. */
export interface IdentifiedConversation extends NewConversation {
  readonly id: string
  readonly tenant: string
}

export const NewMessage = Schema.Struct({
  role: Schema.Literals(["user", "assistant", "system"]),
  content: Content,
  /** Estimated tokens. */
  tokens: count
})
export interface NewMessage extends Schema.Schema.Type<typeof NewMessage> {}

const limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))
const position = Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))

export const ListPage = Schema.Struct({
  tenant: Schema.optional(name),
  before: Schema.optional(ConversationId),
  limit
})
export interface ListPage extends Schema.Schema.Type<typeof ListPage> {}

export const MessagesPage = Schema.Struct({
  before: Schema.optional(position),
  after: Schema.optional(position),
  limit
})
export interface MessagesPage extends Schema.Schema.Type<typeof MessagesPage> {}

export const HistoryBound = Schema.Struct({ maxTokens: Schema.Natural, limit })
export interface HistoryBound extends Schema.Schema.Type<typeof HistoryBound> {}

export const Segments = Schema.Array(
  Schema.Struct({ ...Segment.fields, hash: name, from: count, to: count, tokens: count })
)
export const Agents = Schema.Array(
  Schema.Struct({ ...Agent.fields, name: Schema.String.check(Schema.isMaxLength(400)), lastSeq: count })
)
export const Layout = Schema.String.check(storable)

const refused = (operation: string, reason: string, kind: typeof ChatRepoErrorKind.Type = "invalid"): ChatRepoError =>
  new ChatRepoError({ operation, reason, retryable: false, kind })

/** What was asked, checked before it goes anywhere. */
export const accept =
  <A>(schema: Schema.Codec<A>, operation: string) =>
  (input: A): Effect.Effect<A, ChatRepoError> =>
    Schema.decodeUnknownEffect(schema)(input).pipe(
      Effect.mapError((error) => refused(operation, error.message.slice(0, 400)))
    )

export const unknownCursor = (id: string): ChatRepoError =>
  refused("list conversations", `there is no conversation "${id}" to continue from`)

export const otherTenant = (id: string): ChatRepoError =>
  refused("create a conversation", `the id "${id}" belongs to another tenant; choose another id`, "conflict")

/** The Messages API takes no request over 32 MB, so no message can be of use that is larger. */
export const maxMessageBytes = 32 * 1024 * 1024

/** A message ready to be stored: its content as JSON text, `bytes` of it in UTF-8. */
export interface Encoded {
  readonly message: NewMessage
  readonly json: string
  readonly bytes: number
}

const encode = (message: NewMessage): Encoded => {
  const json = JSON.stringify(message.content)
  return { message, json, bytes: Buffer.byteLength(json) }
}

const operation = "append messages"
const acceptMessages = accept(Schema.Array(NewMessage), operation)

/** Checks messages and encodes them; what could not be read back exactly is refused. */
export const encodeMessages = Effect.fnUntraced(function* (messages: ReadonlyArray<NewMessage>) {
  yield* acceptMessages(messages)
  const encoded = yield* Effect.try({
    try: () => messages.map(encode),
    catch: (cause) => refused(operation, `the content is not JSON (${String(cause)})`)
  })
  for (const [i, { json, bytes }] of encoded.entries()) {
    if (bytes > maxMessageBytes) return yield* refused(operation, `message ${i} takes ${bytes} bytes, over 32 MiB`)
    if (!isContent(parseJson(json))) return yield* refused(operation, `the content of message ${i} is not plain JSON`)
  }
  return encoded
})
