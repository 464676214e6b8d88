import { Effect, Schema } from "effect"
import { recalled, recallTool } from "../chat/excerpt.ts"
import type { MessageSearch, SearchQuery, SearchResult } from "../chat/MessageSearch.ts"
import { endMillis, startMillis, Time } from "../chat/search/Times.ts"
import type { Tool } from "./TurnEvent.ts"

const Words = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2_000))
const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))

const Input = Schema.Struct({
  query: Schema.optional(Words),
  tool: Schema.optional(Name),
  agent: Schema.optional(Name),
  from_message: Schema.optional(Schema.Natural),
  to_message: Schema.optional(Schema.Natural),
  from_time: Schema.optional(Time),
  to_time: Schema.optional(Time)
}).check(
  Schema.makeFilter(
    (input) => Object.values(input).some((value) => value !== undefined) || "at least one of its fields"
  )
)

const decode = Schema.decodeUnknownEffect(Input)

/** Together at most about a thousand tokens. */
const excerpts = { limit: 8, chars: 400 }

const when = (at: number): string => new Date(at).toISOString().slice(0, 16).replace("T", " ")

const answer = ({ found, unsearched }: SearchResult): string => {
  const parts = found.map(
    ({ createdAt, excerpt, role, seq }) => `[message ${seq}, ${role}, ${when(createdAt)} UTC]\n${excerpt}`
  )
  const missing = unsearched === 0 ? [] : [`(The newest ${unsearched} messages are not searchable yet.)`]
  return [recalled, ...(parts.length > 0 ? parts : ["Nothing in this conversation matches."]), ...missing].join("\n\n")
}

const usage =
  "recall_history takes { query?, tool?, agent?, from_message?, to_message?, from_time?, to_time? }, at least one of them; times are ISO 8601"

/** What the tool takes, as JSON Schema properties. */
export const recallProperties = {
  query: { type: "string", description: "Words that occur in what you look for" },
  tool: { type: "string", description: "Only calls and results of this tool" },
  agent: { type: "string", description: "Only messages that create or command this sub-agent, and its results" },
  from_message: { type: "integer", description: "First message number" },
  to_message: { type: "integer", description: "Last message number" },
  from_time: { type: "string", description: "Earliest time, ISO 8601" },
  to_time: { type: "string", description: "Latest time, ISO 8601" }
} as const

export const recallDescription =
  "Searches the whole stored conversation, also what is only summarised in the context, and returns excerpts with message numbers. Use it for exact names, ids, paths, numbers or wordings from earlier. Conditions narrow each other; without a query the newest matching messages are returned, or the first ones from a given start."

/** The tool's answer to an input, from whatever is searched; an input that says nothing fails with what it takes. */
export const recall = <E, R>(
  input: unknown,
  search: (query: SearchQuery) => Effect.Effect<SearchResult, E, R>
): Effect.Effect<string, E | { readonly message: string }, R> =>
  decode(input).pipe(
    Effect.mapError(() => ({ message: usage })),
    Effect.flatMap(({ agent, from_message: from, from_time, query: words, to_message: to, to_time, tool }) =>
      search({
        words,
        tool,
        agent,
        from,
        to,
        fromTime: startMillis(from_time),
        toTime: endMillis(to_time),
        ...excerpts
      })
    ),
    Effect.map(answer)
  )

/** Searches the stored conversation: what was condensed can be looked up word for word. */
export const recallHistory = (search: MessageSearch["Service"]): Tool => ({
  definition: {
    name: recallTool,
    description: recallDescription,
    input_schema: { type: "object", properties: recallProperties, additionalProperties: false }
  },
  run: (input, { conversation }) => recall(input, (query) => search.search(conversation, query))
})
