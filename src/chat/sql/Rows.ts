import { Effect, Schema } from "effect"
import { Agent, Conversation, Segment, StoredMessage } from "../../domain/Conversation.ts"
import { Content } from "../../domain/Message.ts"
import { ChatRepoError } from "../ChatRepoError.ts"

/** Text that may hold any character, stored as JSON text. */
export const AnyText = Schema.fromJsonString(Schema.String)

const MessageRow = Schema.Struct({ ...StoredMessage.fields, content: Schema.fromJsonString(Content) })
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
