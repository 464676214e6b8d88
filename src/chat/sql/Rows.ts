import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { Agent, Conversation, Segment, StoredMessage } from "../../domain/Conversation.ts"
import { parseJson } from "../../domain/Json.ts"
import { Content } from "../../domain/Message.ts"
import { ChatRepoError } from "../ChatRepoError.ts"

/** Text that may hold any character, stored as JSON text. */
export const AnyText = Schema.fromJsonString(Schema.String)

const Json = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Unknown,
    SchemaTransformation.transformEffect({
      decode: (text: string) =>
        Effect.try({
          try: () => parseJson(text),
          catch: (cause) => new SchemaIssue.InvalidValue({ message: `JSON text (${String(cause)})` })
        }),
      encode: (value: unknown) => Effect.succeed(JSON.stringify(value))
    })
  )
)

const MessageRow = Schema.Struct({ ...StoredMessage.fields, content: Json.pipe(Schema.decodeTo(Content)) })
const SegmentRow = Schema.Struct({ ...Segment.fields, text: AnyText })
const AgentRow = Schema.Struct({ ...Agent.fields, name: AnyText, status: AnyText })

const decode = <A, I>(schema: Schema.Codec<A, I>, what: string) => {
  const decoder = Schema.decodeUnknownEffect(Schema.Array(schema))
  return (rows: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<A>, ChatRepoError> =>
    decoder(rows).pipe(
      Effect.mapError(
        (error) =>
          new ChatRepoError({
            operation: `read ${what}`,
            reason: error.message.slice(0, 400),
            retryable: false,
            kind: "corrupt"
          })
      )
    )
}

export const conversations = decode(Conversation, "conversations")
export const messages = decode(MessageRow, "messages")
export const segments = decode(SegmentRow, "segments")
export const agents = decode(AgentRow, "agents")
