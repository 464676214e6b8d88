import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { PreparedContext, Shell } from "./PreparedContext.ts"

/** What compacts on upstream's side, asks it to, or names messages that only upstream holds, is left alone. */
const managedElsewhere: ReadonlySet<string> = new Set(["previous_message_id", "thread", "thread_id", "compaction"])

const holdsCompaction = ({ content }: Message): boolean =>
  typeof content !== "string" && content.some((block) => block.type === "compaction")

const compactsUpstream = ({ context_management: management }: MessagesRequest): boolean =>
  management !== undefined && /"compact/.test(JSON.stringify(management) ?? "")

/** Whether the context of such a request can be managed here. */
export const isOurs = (request: MessagesRequest): boolean =>
  request.messages.length > 0 &&
  // A prefilled answer is gone on with, not answered.
  request.messages.at(-1)?.role !== "assistant" &&
  !Object.keys(request).some((field) => managedElsewhere.has(field)) &&
  !compactsUpstream(request) &&
  !request.messages.some(holdsCompaction)

/** What stands around its messages. */
export const shellOf = ({ model, system, tools }: MessagesRequest): Shell => ({ model, system, tools })

/** The request with a prepared context in the place of its own. */
export const rewritten = (request: MessagesRequest, prepared: PreparedContext): MessagesRequest => {
  const { cache_control: _, messages: __, system: ___, tools: ____, ...rest } = request
  const { cacheControl, messages, system, tools } = prepared
  return {
    // Open, and its required fields are still there: `model` and `max_tokens` in `rest`, `messages` here.
    ...(rest as Omit<MessagesRequest, "messages">),
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools }),
    ...(cacheControl === undefined ? {} : { cache_control: cacheControl }),
    messages
  } as MessagesRequest
}
