import { Effect, Schema } from "effect"
import type { MessageSearch } from "../chat/MessageSearch.ts"
import type { Tool } from "./TurnEvent.ts"

const Input = Schema.Struct({
  query: Schema.String.check(Schema.isMinLength(1)),
  tool: Schema.optional(Schema.String),
  from_message: Schema.optional(Schema.Natural),
  to_message: Schema.optional(Schema.Natural)
})

const decode = Schema.decodeUnknownEffect(Input)

/** Together at most about a thousand tokens. */
const excerpts = { limit: 6, chars: 500 }

const when = (millis: number): string => new Date(millis).toISOString().slice(0, 16).replace("T", " ")

/** Searches the stored conversation: what was condensed can be looked up word for word. */
export const recallHistory = (search: MessageSearch["Service"]): Tool => ({
  definition: {
    name: "recall_history",
    description:
      "Searches the whole stored conversation, also what is only summarised in the context, and returns excerpts with message numbers. Use it for exact names, ids, paths, numbers or wordings from earlier.",
    input_schema: {
      type: "object",
      properties: {
        query: { type: "string", description: "Words that occur in what you look for" },
        tool: { type: "string", description: "Only messages of this tool" },
        from_message: { type: "integer", description: "First message number" },
        to_message: { type: "integer", description: "Last message number" }
      },
      required: ["query"],
      additionalProperties: false
    }
  },
  run: (input, { conversation }) =>
    decode(input).pipe(
      Effect.mapError(() => ({ message: "recall_history takes { query: words, tool?, from_message?, to_message? }" })),
      Effect.flatMap(({ from_message: from, query: words, to_message: to, tool }) =>
        search.search(conversation, { words, tool, from, to, ...excerpts })
      ),
      Effect.map((found) =>
        found.length === 0
          ? "Nothing in this conversation holds these words."
          : found
              .map(
                ({ createdAt, excerpt, role, seq }) => `[message ${seq}, ${role}, ${when(createdAt)} UTC]\n${excerpt}`
              )
              .join("\n\n")
      )
    )
})
