import { isToolUse, type Message } from "../domain/Message.ts"
import type { Size } from "./measure.ts"

/** Ids that the messages after `call` answer, up to the next one of the assistant: the API merges what lies between. */
const isAnswered = (
  id: string,
  call: number,
  messages: ReadonlyArray<Message>,
  sizes: ReadonlyArray<Size>
): boolean => {
  for (let i = call + 1; i < messages.length && messages[i]?.role !== "assistant"; i++) {
    if (sizes[i]?.answers.includes(id) === true) return true
  }
  return false
}

/**
 * The message at `index` as upstream can have received it, or undefined when it is that already. Calls that were
 * interrupted and that no message answers are refused by the API, so a client leaves them out. `sizes` are of `messages`.
 */
export const withoutUnanswered = (
  index: number,
  messages: ReadonlyArray<Message>,
  sizes: ReadonlyArray<Size>
): Message | undefined => {
  const calls = sizes[index]?.calls ?? []
  const message = messages[index]
  if (calls.length === 0 || index === messages.length - 1 || message === undefined) return undefined
  if (typeof message.content === "string") return undefined
  if (calls.every((id) => isAnswered(id, index, messages, sizes))) return undefined
  const content = message.content.filter((block) => !isToolUse(block) || isAnswered(block.id, index, messages, sizes))
  return { ...message, content }
}
