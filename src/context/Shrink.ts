import { isExactNumber } from "../domain/Json.ts"
import {
  blocksOf,
  type Content,
  type ContentBlock,
  isText,
  isThinking,
  isToolResult,
  isToolUse,
  type ToolResultBlock
} from "../domain/Message.ts"
import { isFailure, isListing, salience } from "./Salience.ts"
import { head, headAndTail, tail } from "./Text.ts"

/**
 * An old tool result shrunk to its outcome: head and tail, and between them the lines with ids, numbers, paths and
 * errors, in their order and in their own words. About `chars` characters.
 */
export const shrinkResult = (text: string, chars: number): string => {
  if (text.length <= chars) return text
  const ends = Math.floor(chars * 0.25)
  const middle = text.slice(ends, text.length - ends)
  const lines = middle
    .split("\n")
    .map((line, index) => ({ line: line.trim(), index, score: salience(line) + (isFailure(line) ? 6 : 0) }))
    .filter(({ line, score }) => score >= 5 && line.length <= 400 && !isListing(line))
    .sort((a, b) => b.score - a.score || a.index - b.index)
  const kept: Array<(typeof lines)[number]> = []
  let left = chars - 2 * ends
  for (const candidate of lines) {
    if (candidate.line.length + 1 > left) continue
    left -= candidate.line.length + 1
    kept.push(candidate)
  }
  if (kept.length === 0) return headAndTail(text, chars)
  const body = kept.sort((a, b) => a.index - b.index).map(({ line }) => line)
  const cut = middle.length - body.reduce((sum, line) => sum + line.length, 0)
  return [head(text, ends), `[… ${cut} characters cut; kept of them: …]`, ...body, "[…]", tail(text, ends)].join("\n")
}

const shrinkInner = (content: ToolResultBlock["content"], chars: number): ToolResultBlock["content"] => {
  if (content === undefined) return content
  if (typeof content === "string") return shrinkResult(content, chars)
  const texts = content.filter(isText).length
  return content.map((block) =>
    isText(block) ? { ...block, text: shrinkResult(block.text, Math.ceil(chars / Math.max(1, texts))) } : block
  )
}

/** Long strings inside a tool call's input, cut in place; its shape stays. */
const shrinkInput = (input: unknown, chars: number): unknown => {
  if (typeof input === "string") return headAndTail(input, chars)
  if (Array.isArray(input)) return input.map((item) => shrinkInput(item, chars))
  if (typeof input !== "object" || input === null || isExactNumber(input)) return input
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, shrinkInput(value, chars)]))
}

const imageNote = (block: ContentBlock): ContentBlock => ({ type: "text", text: `[${block.type} left out]` })

const shrinkBlock = (block: ContentBlock, chars: number): ContentBlock => {
  if (isText(block)) return block.text.length <= chars ? block : { ...block, text: headAndTail(block.text, chars) }
  if (isToolResult(block)) {
    const content = shrinkInner(block.content, chars)
    return content === undefined ? block : { ...block, content }
  }
  if (isToolUse(block)) return { ...block, input: shrinkInput(block.input, chars) }
  if (block.type === "image" || block.type === "document") return imageNote(block)
  return block
}

const size = (content: Content): number =>
  typeof content === "string"
    ? content.length
    : content.reduce((sum, block) => sum + (JSON.stringify(block)?.length ?? 0), 0)

/** The content with every block cut to about `chars` characters; the same object when nothing is longer. */
export const shrinkContent = (content: Content, chars: number): Content => {
  if (size(content) <= chars) return content
  if (typeof content === "string") return headAndTail(content, chars)
  return content.map((block) => shrinkBlock(block, chars))
}

export const hasThinking = (content: Content): boolean => typeof content !== "string" && content.some(isThinking)

export const withoutThinking = (content: Content): Content =>
  typeof content === "string" || !hasThinking(content) ? content : content.filter((block) => !isThinking(block))

/** The longest block of a content, in characters: what shrinking can gain from. */
export const longestBlock = (content: Content): number =>
  blocksOf(content).reduce((most, block) => Math.max(most, JSON.stringify(block)?.length ?? 0), 0)
