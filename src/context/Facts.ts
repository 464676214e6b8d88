import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, type ContentBlock, isText, isToolResult, isToolUse, type ToolUseBlock } from "../domain/Message.ts"
import { agentId, agentName, field } from "./Agents.ts"
import { isChatter, isFailure, isListing, salience } from "./Salience.ts"
import { clean, clip, head, oneLine, tail, textOf } from "./Text.ts"

/** One line that a summary may keep: what it says, from which message, and how dearly it should be kept. */
export interface Fact {
  readonly seq: number
  readonly text: string
  readonly weight: number
}

export interface FactOptions {
  readonly agentTools: ReadonlySet<string>
  /** Characters of one user prompt and of any other line. */
  readonly promptChars: number
  readonly lineChars: number
}

const sentences = (text: string): ReadonlyArray<string> =>
  clean(text)
    .split("\n")
    .flatMap((line) => line.split(/(?<=[.!?])\s+(?=[A-Z`"'(*[])/))
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line.length > 2 && /[\p{L}\p{N}]/u.test(line))

const reminder = /<system-reminder>[\s\S]*?<\/system-reminder>/g
const tag = /<\/?[a-z][\w-]*>/g

/** What a person wrote, without what a client wrapped around it. */
const promptText = (text: string): string => text.replace(reminder, " ").replace(tag, " ")

/** The best lines of a long text, none of them twice. */
const bestLines = (text: string, most: number, least: number): ReadonlyArray<string> =>
  sentences(text)
    .filter((line) => !isListing(line))
    .map((line) => ({ line, score: salience(line) }))
    .filter(({ score }) => score >= least)
    .sort((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ line }) => line)

const promptFacts = (seq: number, raw: string, options: FactOptions): ReadonlyArray<Fact> => {
  const text = oneLine(promptText(raw))
  if (text.length === 0) return []
  if (text.length <= options.promptChars) return [{ seq, text: `User: ${text}`, weight: 100 }]
  const first = Math.round(options.promptChars * 0.65)
  const lines = bestLines(promptText(raw).slice(first), 4, 8)
  return [
    {
      seq,
      text: `User: ${head(text, first)} [… ${text.length - options.promptChars} characters …] ${tail(text, options.promptChars - first)}`,
      weight: 100
    },
    ...lines.map((line) => ({ seq, text: `  > ${clip(line, options.lineChars)}`, weight: 30 + salience(line) }))
  ]
}

const assistantFacts = (seq: number, text: string, closing: boolean, options: FactOptions): ReadonlyArray<Fact> =>
  sentences(text)
    .map((line, index): Fact => {
      const opening = index === 0 && !isChatter(line) ? 6 : 0
      return {
        seq,
        text: `- ${clip(line, options.lineChars)}`,
        weight: 38 + 2 * salience(line) + opening + (closing ? 8 : 0)
      }
    })
    .filter((fact) => fact.weight > 36)

const agentFact = (seq: number, block: ToolUseBlock, options: FactOptions): Fact => {
  const task = field(block.input, "prompt", "command", "message", "task", "instructions")
  const model = field(block.input, "model")
  const suffix = [model && `model ${model}`, clip(task, options.lineChars)].filter(Boolean).join("; ")
  return { seq, text: `- Agent "${agentName(block)}" (${block.name})${suffix ? `: ${suffix}` : ""}`, weight: 92 }
}

const questionFact = (seq: number, block: ToolUseBlock, options: FactOptions): ReadonlyArray<Fact> => {
  const asked = JSON.stringify(block.input).match(/"question":"((?:[^"\\]|\\.)*)"/g) ?? []
  return asked.map((q) => ({
    seq,
    text: `- Asked the user: ${clip(oneLine(q.slice(12, -1)), options.lineChars)}`,
    weight: 60
  }))
}

const path = (input: unknown): string => field(input, "file_path", "path", "notebook_path", "filename")
const writes = /write|edit|create|replace|patch|delete|remove|move/i

const actionFact = (seq: number, block: ToolUseBlock, options: FactOptions): Fact => {
  const file = path(block.input)
  const command = field(block.input, "command", "query", "pattern", "url", "skill", "args", "title", "content", "text")
  const why = field(block.input, "description", "title", "reason")
  const what = [why, file, command === why ? "" : command].filter(Boolean).join(" · ")
  const text = what.length > 0 ? what : oneLine(JSON.stringify(block.input) ?? "")
  const weight = writes.test(block.name) ? 40 : file.length > 0 ? 22 : 26 + Math.min(12, salience(text))
  return { seq, text: `- ${block.name}: ${clip(text, Math.round(options.lineChars * 0.8))}`, weight }
}

const resultLines = (text: string, most: number): ReadonlyArray<string> => {
  const lines = text.split("\n").filter((line) => line.trim().length > 0 && !isListing(line))
  return lines
    .map((line, index) => ({ line: oneLine(line), index, score: salience(line) + (isFailure(line) ? 4 : 0) }))
    .filter(({ score }) => score >= 6)
    .sort((a, b) => b.score - a.score || b.index - a.index)
    .slice(0, most)
    .sort((a, b) => a.index - b.index)
    .map(({ line }) => line)
}

/** Answers of people to questions are worth as much as their prompts. */
const answered = /(?:have|has) (?:been )?answered|user (?:answered|notes|said|chose|selected)/i

const resultFacts = (
  seq: number,
  raw: string,
  use: ToolUseBlock | undefined,
  isError: boolean,
  options: FactOptions
): ReadonlyArray<Fact> => {
  const text = clean(raw).trim()
  if (text.length === 0) return []
  const flat = oneLine(text)
  if (answered.test(head(flat, 200)))
    return [{ seq, text: `- User answered: ${clip(flat, options.promptChars)}`, weight: 97 }]
  if (use !== undefined && options.agentTools.has(use.name)) {
    const id = agentId(text)
    return [
      { seq, text: `  → ${[`agent "${agentName(use)}"`, id].filter(Boolean).join(" ")}`, weight: id ? 93 : 20 },
      ...resultLines(text, 5).map((line) => ({
        seq,
        text: `  → ${clip(line, options.lineChars)}`,
        weight: 40 + salience(line)
      }))
    ]
  }
  if (flat.length <= options.lineChars && !isChatter(flat)) {
    return [{ seq, text: `  → ${flat}`, weight: 34 + Math.min(45, 3 * salience(flat)) + (isError ? 15 : 0) }]
  }
  return resultLines(text, isError ? 4 : 6).map((line) => ({
    seq,
    text: `  → ${clip(line, options.lineChars)}`,
    weight: 22 + 2 * Math.min(14, salience(line)) + (isError ? 15 : 0)
  }))
}

/** Reads messages in order and lists what could be kept of them, in the order it happened. */
export const factsOf = (messages: ReadonlyArray<StoredMessage>, options: FactOptions): ReadonlyArray<Fact> => {
  const uses = new Map<string, ToolUseBlock>()
  const facts: Array<Fact> = []
  messages.forEach((message, index) => {
    const next = messages[index + 1]
    const closing = next !== undefined && next.role === "user" && !blocksOf(next.content).some(isToolResult)
    for (const block of blocksOf(message.content)) {
      facts.push(...blockFacts(message, block, closing, uses, options))
    }
  })
  return facts
}

const blockFacts = (
  message: StoredMessage,
  block: ContentBlock,
  closing: boolean,
  uses: Map<string, ToolUseBlock>,
  options: FactOptions
): ReadonlyArray<Fact> => {
  const seq = message.seq
  if (isText(block)) {
    return message.role === "assistant"
      ? assistantFacts(seq, block.text, closing, options)
      : promptFacts(seq, block.text, options)
  }
  if (isToolUse(block)) {
    uses.set(block.id, block)
    if (options.agentTools.has(block.name)) return [agentFact(seq, block, options)]
    if (/ask.*question/i.test(block.name)) return questionFact(seq, block, options)
    return [actionFact(seq, block, options)]
  }
  if (isToolResult(block)) {
    return resultFacts(seq, textOf(block.content), uses.get(block.tool_use_id), block.is_error === true, options)
  }
  return []
}
