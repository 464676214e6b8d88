import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isToolResult, isToolUse, startsTurn } from "../domain/Message.ts"

/** Ids of the tools a message calls. */
const calls = (message: StoredMessage): ReadonlyArray<string> =>
  blocksOf(message.content)
    .filter(isToolUse)
    .map((block) => block.id)

const answers = (message: StoredMessage): ReadonlyArray<string> =>
  blocksOf(message.content)
    .filter(isToolResult)
    .map((block) => block.tool_use_id)

/**
 * True where a context may be cut before `messages[index]`: nothing before the cut waits for a result after it. That is
 * the start of a turn, or an assistant message that answers a user message (the start of a tool round).
 */
export const isCut = (messages: ReadonlyArray<StoredMessage>, index: number): boolean => {
  const message = messages[index]
  const previous = messages[index - 1]
  if (message === undefined) return false
  if (previous === undefined) return true
  if (message.role === "assistant") return previous.role === "user"
  if (!startsTurn(message)) return false
  return previous.role === "user" || calls(previous).length === 0
}

/** The last legal cut at or before `index`, or `least` when there is none after it. */
export const cutAtOrBefore = (messages: ReadonlyArray<StoredMessage>, index: number, least: number): number => {
  for (let i = Math.min(index, messages.length - 1); i > least; i--) if (isCut(messages, i)) return i
  return least
}

/** The first legal cut at or after `index`, or `messages.length` when there is none. */
export const cutAtOrAfter = (messages: ReadonlyArray<StoredMessage>, index: number): number => {
  for (let i = Math.max(0, index); i < messages.length; i++) if (isCut(messages, i)) return i
  return messages.length
}

/** Where the current round begins: the last legal cut that leaves no call without its result behind. */
export const currentRound = (messages: ReadonlyArray<StoredMessage>): number => {
  const last = messages.at(-1)
  if (last === undefined) return 0
  const wanted = new Set(last.role === "user" ? answers(last) : [])
  let start = cutAtOrBefore(messages, messages.length - 1, 0)
  while (wanted.size > 0 && start > 0 && !messages.slice(start).some((m) => calls(m).some((id) => wanted.has(id)))) {
    const before = cutAtOrBefore(messages, start - 1, 0)
    if (before === start) break
    start = before
    if (messages.length - start > 8) break
  }
  return start
}
