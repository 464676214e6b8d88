import { Predicate } from "effect"
import { type ContentBlock, isContentBlock, isText, isToolResult, isToolUse, type Message } from "../domain/Message.ts"
import { imageTokens } from "./image.ts"
import type { Item } from "./weights.ts"

/** Takes what a walk over content finds. */
export interface Sink {
  readonly text: (text: string) => void
  readonly thinking: (text: string) => void
  /** Counts as the text that it is on the wire; `cache_control` costs nothing and moves from request to request. */
  readonly json: (value: unknown) => void
  readonly count: (item: Item, n: number) => void
  /** The ids that a message calls tools by, and answers calls by. They cost nothing. */
  readonly call: (id: string) => void
  readonly answer: (id: string) => void
}

/** Names of fields are part of `parameter`, unless they are longer than names are. */
const usualName = 24
/** A shorter signature is a placeholder. */
const realSignature = 64

const toolCalls: ReadonlySet<string> = new Set(["tool_use", "server_tool_use", "mcp_tool_use"])

const stringOf = (u: unknown): string => (typeof u === "string" ? u : "")

const walkInput = (input: unknown, sink: Sink): void => {
  if (!Predicate.isObject(input) || Array.isArray(input)) {
    sink.json(input)
    return
  }
  for (const [name, value] of Object.entries(input)) {
    sink.count("parameter", 1)
    if (name.length > usualName) sink.text(name)
    if (typeof value === "string") sink.text(value)
    else sink.json(value)
  }
}

const walkThinking = (block: ContentBlock, sink: Sink): void => {
  const text = stringOf(block.thinking)
  const opaque = stringOf(block.signature).length + stringOf(block.data).length
  if (text !== "") sink.thinking(text)
  else if (opaque >= realSignature) sink.count("signature", opaque)
  else sink.count("hiddenThinking", 1)
}

const walkDocument = (block: ContentBlock, sink: Sink): void => {
  const source: Record<string, unknown> = Predicate.isObject(block.source) ? { ...block.source } : {}
  if (source.type === "text") sink.text(stringOf(source.data))
  else if (source.type === "base64") sink.count("documentData", stringOf(source.data).length)
  else if (Array.isArray(source.content)) for (const inner of source.content) walkInner(inner, sink)
  else sink.count("remoteDocument", 1)
  sink.text(stringOf(block.title))
  sink.text(stringOf(block.context))
}

const walkImage = (block: ContentBlock, sink: Sink): void => {
  const tokens = imageTokens(block.source)
  sink.count("imageOld", tokens.old)
  sink.count("imageNew", tokens.new)
}

/** A block inside another one, or of a system prompt: no overhead of its own. */
export const walkInner = (block: unknown, sink: Sink): void => {
  if (!isContentBlock(block)) sink.json(block)
  else if (isText(block)) sink.text(block.text)
  else if (block.type === "image") walkImage(block, sink)
  else if (block.type === "document") walkDocument(block, sink)
  else sink.json(block)
}

const walkResult = (block: ContentBlock, sink: Sink): void => {
  sink.count("toolResult", 1)
  if (isToolResult(block)) sink.answer(block.tool_use_id)
  if (block.is_error === true) sink.count("errorResult", 1)
  const { content } = block
  if (content === undefined || content === "" || (Array.isArray(content) && content.length === 0)) {
    sink.count("emptyResult", 1)
  } else if (typeof content === "string") sink.text(content)
  else if (Array.isArray(content)) for (const inner of content) walkInner(inner, sink)
  else sink.json(content)
}

const walkBlock = (block: ContentBlock, textItem: Item, sink: Sink): void => {
  if (isText(block)) {
    sink.count(textItem, 1)
    sink.text(block.text)
  } else if (toolCalls.has(block.type)) {
    sink.count("toolUse", 1)
    if (isToolUse(block)) sink.call(block.id)
    sink.text(stringOf(block.name))
    walkInput(block.input, sink)
  } else if (isToolResult(block)) walkResult(block, sink)
  else if (block.type === "compaction" && typeof block.content === "string") {
    sink.count(textItem, 1)
    sink.text(block.content)
  } else if (block.type === "thinking" || block.type === "redacted_thinking") walkThinking(block, sink)
  else walkInner(block, sink)
}

/** Everything in a message that costs tokens. */
export const walkMessage = ({ role, content }: Message, sink: Sink): void => {
  const textItem = role === "assistant" ? "assistantText" : "userText"
  if (typeof content === "string") {
    sink.count(textItem, 1)
    sink.text(content)
    return
  }
  let calls = 0
  let results = 0
  for (const block of content) {
    walkBlock(block, textItem, sink)
    if (toolCalls.has(block.type)) calls++
    else if (isToolResult(block)) results++
  }
  if (calls > 0) sink.count("toolRound", 1)
  if (results > 1) sink.count("furtherToolResult", results - 1)
}
