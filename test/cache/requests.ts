import { Arbitrary, Schema } from "effect"
import type { AssistantMessage, MessagesRequest } from "../../src/domain/MessagesRequest.ts"

export const user = (text: string) => ({ role: "user" as const, content: text })

export const request = (fields: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 1024,
  messages: [user("What is the capital of France?")],
  ...fields
})

export const answer = (fields: Partial<AssistantMessage> = {}): AssistantMessage => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [{ type: "text", text: "Paris." }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 14, output_tokens: 4 },
  ...fields
})

const Block = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("tool_use"),
    id: Schema.String,
    name: Schema.String,
    input: Schema.Record(Schema.Literals(["path", "cache_control", "z"]), Schema.Union([Schema.String, Schema.Int]))
  }),
  Schema.Struct({
    type: Schema.Literal("tool_result"),
    tool_use_id: Schema.String,
    content: Schema.Array(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }))
  })
])

export const messages = Arbitrary.schema(
  Schema.Array(
    Schema.Struct({
      role: Schema.Literals(["user", "assistant"]),
      content: Schema.Union([Schema.String, Schema.Array(Block)])
    })
  ).check(Schema.isMaxLength(60))
)

/** The same JSON in other objects, with every record's keys the other way round. */
export const reversedCopy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversedCopy)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, reversedCopy(field)])
  )
}
