import { Schema } from "effect"
import { Time } from "../chat/search/Times.ts"
import { StoredMessage } from "../domain/Conversation.ts"

const Name = Schema.NonEmptyString.check(Schema.isMaxLength(200))

/** What is looked for in a conversation. */
export const SearchRequest = {
  q: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(2_000)).annotate({ description: "words that occur in it" })
  ),
  tool: Schema.optionalKey(Name.annotate({ description: "only calls and results of this tool" })),
  agent: Schema.optionalKey(
    Name.annotate({
      description: "only messages that create or command this sub-agent, and its results: words of its name, or its id"
    })
  ),
  from: Schema.optionalKey(Schema.Natural.annotate({ description: "first message number" })),
  to: Schema.optionalKey(Schema.Natural.annotate({ description: "last message number" })),
  fromTime: Schema.optionalKey(Time.annotate({ description: "earliest time stored, ISO 8601" })),
  toTime: Schema.optionalKey(Time.annotate({ description: "latest time stored, ISO 8601; a day lasts until its end" })),
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })))
}

export const SearchPage = Schema.Struct({
  found: Schema.Array(
    Schema.Struct({
      seq: StoredMessage.fields.seq,
      role: StoredMessage.fields.role,
      createdAt: StoredMessage.fields.createdAt,
      excerpt: Schema.String
    })
  ).annotate({ description: "best first" }),
  unsearched: Schema.Natural.annotate({
    description:
      "the newest messages that the index does not hold yet; more than 0 only shortly after very many were stored"
  })
}).annotate({ identifier: "SearchPage" })
