import { isToolResult, isToolUse, type Message } from "../domain/Message.ts"

const hasCalls = ({ content, role }: Message): boolean =>
  role === "assistant" && typeof content !== "string" && content.some(isToolUse)

const answersTo = (messages: ReadonlyArray<Message>, call: number): ReadonlySet<string> => {
  const answered = new Set<string>()
  for (let i = call + 1; i < messages.length; i++) {
    const message = messages[i]
    if (message === undefined || message.role === "assistant") break
    if (typeof message.content === "string") continue
    for (const block of message.content) if (isToolResult(block)) answered.add(block.tool_use_id)
  }
  return answered
}

/**
 * The message at `index` as upstream can have received it: calls that were interrupted, and that no message answers, are
 * refused by the API, so a client leaves them out. The same object when nothing is missing.
 */
export const answered = (messages: ReadonlyArray<Message>, index: number, message: Message): Message => {
  if (index === messages.length - 1 || !hasCalls(message) || typeof message.content === "string") return message
  const answers = answersTo(messages, index)
  const kept = message.content.filter((block) => !isToolUse(block) || answers.has(block.id))
  return kept.length === message.content.length ? message : { ...message, content: kept }
}
