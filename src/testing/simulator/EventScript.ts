import type { AssistantMessage, StreamEvent } from "../../domain/MessagesRequest.ts"
import { messageEvents } from "./MessageEvents.ts"

/** One event, and the output tokens that were generated for it. */
export interface Step {
  readonly event: StreamEvent
  readonly tokens: number
}

/** About four tokens. */
const deltaChars = 16

/**
 * The events of a message as upstream streams them. Its `output_tokens` are spread evenly over the deltas; what is left
 * (all of it, without deltas) comes with `message_delta`.
 */
export const eventScript = (message: AssistantMessage): ReadonlyArray<Step> => {
  const total = message.usage.output_tokens ?? 0
  const events = messageEvents(message, { deltaChars, ping: true })
  const deltas = events.filter((event) => event.type === "content_block_delta").length
  let seen = 0
  let spent = 0
  return events.map((event) => {
    if (event.type === "content_block_delta") seen++
    else if (event.type !== "message_delta") return { event, tokens: 0 }
    const due = event.type === "message_delta" ? total : Math.floor((total * seen) / deltas)
    const tokens = due - spent
    spent = due
    return { event, tokens }
  })
}
