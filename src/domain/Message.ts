import { Predicate, Schema, SchemaTransformation } from "effect"

/**
 * One Anthropic content block. An open record: unknown block types and unknown fields are legal, and a decoded block is
 * the very object that was given, so that it survives a round trip byte for byte and can be cached by identity.
 */
export interface ContentBlock {
  readonly type: string
  readonly [field: string]: unknown
}

export interface TextBlock extends ContentBlock {
  readonly type: "text"
  readonly text: string
}

export interface ToolUseBlock extends ContentBlock {
  readonly type: "tool_use"
  readonly id: string
  readonly name: string
  readonly input: unknown
}

export interface ToolResultBlock extends ContentBlock {
  readonly type: "tool_result"
  readonly tool_use_id: string
  readonly content?: string | ReadonlyArray<ContentBlock>
  readonly is_error?: boolean
}

export interface ThinkingBlock extends ContentBlock {
  readonly type: "thinking" | "redacted_thinking"
}

export type Role = "user" | "assistant" | "system"
export type Content = string | ReadonlyArray<ContentBlock>

/** One Messages API entry: a role and its content, open like its blocks. */
export interface Message {
  readonly role: Role
  readonly content: Content
  readonly [field: string]: unknown
}

const isObject = (u: unknown): u is Record<string, unknown> => Predicate.isObject(u) && !Array.isArray(u)

const optionalContent = (u: unknown): boolean =>
  u === undefined || typeof u === "string" || (Array.isArray(u) && u.every(isContentBlock))

const knownBlocks: Record<string, (block: Record<string, unknown>) => boolean> = {
  text: (b) => typeof b.text === "string",
  tool_use: (b) => typeof b.id === "string" && typeof b.name === "string",
  tool_result: (b) => typeof b.tool_use_id === "string" && optionalContent(b.content)
}

export const isContentBlock = (u: unknown): u is ContentBlock =>
  isObject(u) &&
  typeof u.type === "string" &&
  (!Object.hasOwn(knownBlocks, u.type) || knownBlocks[u.type]?.(u) === true)

export const isContent = (u: unknown): u is Content =>
  typeof u === "string" || (Array.isArray(u) && u.every(isContentBlock))

const roles: ReadonlySet<unknown> = new Set(["user", "assistant", "system"])

export const isMessage = (u: unknown): u is Message => isObject(u) && roles.has(u.role) && isContent(u.content)

export const isText = (block: ContentBlock): block is TextBlock => block.type === "text"
export const isToolUse = (block: ContentBlock): block is ToolUseBlock => block.type === "tool_use"
export const isToolResult = (block: ContentBlock): block is ToolResultBlock => block.type === "tool_result"
export const isThinking = (block: ContentBlock): block is ThinkingBlock =>
  block.type === "thinking" || block.type === "redacted_thinking"

/** The content as blocks; a string is one text block. */
export const blocksOf = (content: Content): ReadonlyArray<ContentBlock> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

/** True for a user message that carries `tool_result` blocks: it continues a turn instead of starting one. */
export const hasToolResult = (message: Message): boolean =>
  typeof message.content !== "string" && message.content.some(isToolResult)

/** True where a turn starts: a user message without `tool_result`. */
export const startsTurn = (message: Message): boolean => message.role === "user" && !hasToolResult(message)

/** Any JSON value on the wire; the declaration's own guard then decides, and the same object is kept. */
const asIs = <T>() =>
  Schema.link<T>()(
    Schema.Unknown,
    // The guard runs on what is decoded, and T is already JSON: both directions are the identity.
    SchemaTransformation.transform({ decode: (u) => u as T, encode: (t): unknown => t })
  )

/** A content block: `type`, and for text, tool_use and tool_result their required fields; everything else is free. */
export const ContentBlock = Schema.declare(isContentBlock, {
  identifier: "ContentBlock",
  expected:
    "a content block with a string `type` (text needs `text`, tool_use `id` and `name`, tool_result `tool_use_id`)",
  toCodecJson: () => asIs<ContentBlock>()
})

export const Content = Schema.declare(isContent, {
  identifier: "Content",
  expected: "a string or an array of content blocks",
  toCodecJson: () => asIs<Content>()
})

export const Message = Schema.declare(isMessage, {
  identifier: "Message",
  expected: "a message with `role` user, assistant or system and `content` a string or content blocks",
  toCodecJson: () => asIs<Message>()
})
