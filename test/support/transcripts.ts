import { existsSync, readdirSync, readFileSync } from "node:fs"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { type Content, isMessage } from "../../src/domain/Message.ts"

const data = new URL("../../../shared/data/", import.meta.url)

/** Real transcripts lie beside the project on some machines; elsewhere this is empty. */
export const transcripts = (): ReadonlyArray<string> => {
  const folder = new URL("conversations/", data)
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

/** The logs lost the signatures of thinking; with one the blocks are what was sent. */
const signed = (content: Content): Content =>
  typeof content === "string"
    ? content
    : content.map((block) => (block.type === "thinking" ? { ...block, signature: "(not in the log)" } : block))

export const transcript = (name: string): ReadonlyArray<StoredMessage> =>
  readFileSync(new URL(`conversations/${name}`, data), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(isMessage)
    .map((message, seq) => ({
      seq,
      role: message.role,
      content: signed(message.content),
      tokens: 0,
      createdAt: typeof message.timestamp === "string" ? Date.parse(message.timestamp) : 0
    }))
