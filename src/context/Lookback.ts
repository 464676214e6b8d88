import { blocksOf, isToolResult, isToolUse, type Message } from "../domain/Message.ts"
import { hasMark } from "./Prepared.ts"
import type { CacheControl } from "./PreparedContext.ts"

/** Upstream looks for a cached prefix this many positions back from a breakpoint, its own included. */
export const lookbackPositions = 20

/** Positions of these messages: blocks, but a run of tool calls, or of results, is one. */
export const positionsOf = (messages: ReadonlyArray<Message>): number => {
  let count = 0
  let before = ""
  for (const block of messages.flatMap(({ content }) => blocksOf(content))) {
    const run = isToolUse(block) || isToolResult(block)
    if (!run || block.type !== before) count++
    before = block.type
  }
  return count
}

const isMarked = ({ content }: Message): boolean => blocksOf(content).slice(-1).some(hasMark)

/**
 * Index of the message where the previous request ended, when what has come since is more than upstream looks back over:
 * without a breakpoint there, it would find nothing of what it holds (a segment may carry one already). The previous request ended before the last answer.
 */
export const lostEnd = (messages: ReadonlyArray<Message>): number | undefined => {
  const answer = messages.findLastIndex(({ role }) => role === "assistant")
  const end = messages[answer - 1]
  if (end?.role !== "user" || isMarked(end)) return undefined
  return positionsOf(messages.slice(answer)) < lookbackPositions ? undefined : answer - 1
}

/** The messages with a breakpoint on the last block of one of them. */
export const markedAt = (messages: ReadonlyArray<Message>, index: number, mark: CacheControl): ReadonlyArray<Message> =>
  messages.map((message, at) => {
    if (at !== index) return message
    const blocks = blocksOf(message.content)
    const content = blocks.map((block, i) => (i === blocks.length - 1 ? { ...block, cache_control: mark } : block))
    return { ...message, content }
  })
