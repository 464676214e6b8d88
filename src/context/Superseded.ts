import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isToolResult, isToolUse, type ToolUseBlock } from "../domain/Message.ts"
import { field } from "./Agents.ts"

/** What a call is about: the file it reads or writes, or else all of its input. */
const subject = (use: ToolUseBlock): string => {
  const path = field(use.input, "file_path", "path", "notebook_path", "filename")
  return path === "" ? `${use.name} ${JSON.stringify(use.input)}` : path
}

/**
 * Messages whose tool results have all been overtaken: a later call reads the same file, writes it, or asks the same
 * again. They can shrink first. Errors are never overtaken.
 */
export const superseded = (messages: ReadonlyArray<StoredMessage>): ReadonlySet<number> => {
  const later = new Set<string>()
  const overtaken = new Set<string>()
  const seqs = new Set<number>()
  for (const message of messages.toReversed()) {
    const blocks = blocksOf(message.content)
    for (const use of blocks.filter(isToolUse).toReversed()) {
      const about = subject(use)
      if (later.has(about)) overtaken.add(use.id)
      later.add(about)
    }
  }
  for (const message of messages) {
    const results = blocksOf(message.content).filter(isToolResult)
    const all = results.length > 0 && results.every((r) => overtaken.has(r.tool_use_id) && r.is_error !== true)
    if (all) seqs.add(message.seq)
  }
  return seqs
}
