import { isContentBlock } from "../../domain/Message.ts"
import type { AssistantMessage, StreamEvent } from "../../domain/MessagesRequest.ts"
import { consumed } from "../../domain/Usage.ts"
import { isCompaction } from "../rules/compaction.ts"
import { messageEvents } from "./MessageEvents.ts"

/** One event, and the output tokens that were generated for it. */
export interface Step {
  readonly event: StreamEvent
  readonly tokens: number
}

/** About four tokens. */
const deltaChars = 16

/** An event that tokens were generated for: a delta, or a compaction block, which comes whole. */
const isWork = ({ content_block: block, type }: StreamEvent): boolean =>
  type === "content_block_delta" || (type === "content_block_start" && isContentBlock(block) && isCompaction(block))

/**
 * The events of a message as upstream streams them. Its `output_tokens` are spread evenly over the deltas; what is left
 * (all of it, without deltas) comes with `message_delta`.
 */
export const eventScript = (message: AssistantMessage): ReadonlyArray<Step> => {
  const total = consumed(message.usage).output
  const events = messageEvents(message, { deltaChars, ping: true })
  const deltas = events.filter(isWork).length
  let seen = 0
  let spent = 0
  return events.map((event) => {
    if (isWork(event)) seen++
    else if (event.type !== "message_delta") return { event, tokens: 0 }
    const due = event.type === "message_delta" ? total : Math.floor((total * seen) / deltas)
    const tokens = due - spent
    spent = due
    return { event, tokens }
  })
}
