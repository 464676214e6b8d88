import { hash } from "node:crypto"
import type { ContentBlock, Message } from "../../domain/Message.ts"
import { isCompaction, isSigned } from "../rules/compaction.ts"

const digest = (text: string): string => hash("sha256", text, "base64url")

/** The same in every process: a conversation outlives the simulator that compacted it. */
const sign = (contentDigest: string): string => `${contentDigest}.${digest(`simulated upstream\0${contentDigest}`)}`

/** A summary as the signed block that later requests send back. */
export const sealed = (content: string): ContentBlock => ({
  type: "compaction",
  content,
  encrypted_content: null,
  signature: sign(digest(content)),
  tool_changes: []
})

/** A block that was not sent back as it was made: upstream's error code, where, and its sentence. */
export interface BrokenSeal {
  readonly errorCode: string
  readonly message: string
}

const brokenIn = (block: ContentBlock): BrokenSeal | undefined => {
  const { content, encrypted_content: encrypted, signature, tool_changes: changes } = block
  const [contentDigest = ""] = String(signature).split(".")
  if (signature !== sign(contentDigest) || (encrypted !== null && encrypted !== undefined)) {
    return { errorCode: "compaction_signature_invalid", message: "the `signature` does not verify" }
  }
  if (typeof content !== "string" || digest(content) !== contentDigest) {
    return { errorCode: "compaction_content_mismatch", message: "the `content` is not what the `signature` recorded" }
  }
  return Array.isArray(changes) && changes.length === 0
    ? undefined
    : { errorCode: "compaction_tool_changes_mismatch", message: "the `tool_changes` are not what was returned" }
}

/** Checks the block at the head of the messages; one that was made at a threshold needs no seal. */
export const brokenSeal = ([first]: ReadonlyArray<Message>, needsSeal: boolean): BrokenSeal | undefined => {
  const block = typeof first?.content === "object" ? first.content[0] : undefined
  if (block === undefined || !isCompaction(block) || block.content === null) return undefined
  if (!needsSeal && !isSigned(block)) return undefined
  const broken = brokenIn(block)
  return broken && { ...broken, message: `messages.0.content.0.compaction: ${broken.message}` }
}
