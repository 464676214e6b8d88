import { blocksOf, type ContentBlock, isText, isToolUse, type Message, startsTurn } from "../../domain/Message.ts"
import type { ApiUsage, AssistantMessage, MessagesRequest } from "../../domain/MessagesRequest.ts"
import { isCompaction } from "../rules/compaction.ts"
import { sealed } from "./CompactionSeal.ts"
import { type GenerateOptions, promptUsage } from "./Generation.ts"
import type { Answer } from "./Responder.ts"
import { scaled } from "./Tokenizer.ts"

const lineChars = 160
const linesAtEachEnd = 20
const instructionLines = 60

const firstLine = (text: string): string => {
  const line = text.trim().split("\n", 1)[0] ?? ""
  return line.length > lineChars ? `${line.slice(0, lineChars)}…` : line
}

const textOf = (blocks: ReadonlyArray<ContentBlock>): string =>
  blocks
    .filter(isText)
    .map((block) => block.text)
    .join("\n")

/** The first lines and the last ones, with a note of how many were left out. */
const ends = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= 2 * linesAtEachEnd
    ? lines
    : [
        ...lines.slice(0, linesAtEachEnd),
        `… ${lines.length - 2 * linesAtEachEnd} more …`,
        ...lines.slice(-linesAtEachEnd)
      ]

const section = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `- ${line}`)]

const toolCounts = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const { content } of messages) {
    for (const { name } of blocksOf(content).filter(isToolUse)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${name} × ${count}`)
}

const instructionsOf = ({ compaction }: MessagesRequest): string =>
  typeof compaction === "object" &&
  compaction !== null &&
  "instructions" in compaction &&
  typeof compaction.instructions === "string"
    ? compaction.instructions.trim()
    : ""

/** What the instructions name behind their first line, headings left out. */
const kept = (request: MessagesRequest): ReadonlyArray<string> =>
  instructionsOf(request)
    .split("\n")
    .slice(1)
    .map((line) => firstLine(line).replace(/^(?:[-*>]|\d+[.)])\s+/, ""))
    .filter((line) => line !== "" && !line.endsWith(":"))
    .slice(0, instructionLines)

/** A summary in the conversation's own words: what was asked, which tools were called, how it ended. */
export const summaryOf = (request: MessagesRequest): string => {
  const { messages } = request
  const earlier = messages
    .flatMap(({ content }) => blocksOf(content).filter(isCompaction))
    .map(({ content }) => content)
  const asked = messages.filter(startsTurn).map(({ content }) => firstLine(textOf(blocksOf(content))))
  const said = messages.findLast(({ role, content }) => role === "assistant" && textOf(blocksOf(content)) !== "")
  return [
    `Summary of ${messages.length} messages.`,
    ...section(
      "Before that",
      earlier.flatMap((summary) => (typeof summary === "string" ? ends(summary.split("\n")) : []))
    ),
    ...section("Asked", ends(asked.filter((line) => line !== ""))),
    ...section("Tools called", ends(toolCounts(messages))),
    ...section("Last answer", said === undefined ? [] : [firstLine(textOf(blocksOf(said.content)))]),
    ...section("Kept as instructed", kept(request))
  ].join("\n")
}

const builtIn = "Summarize the conversation so that it can be continued from the summary alone."

/** The text that a compaction puts behind the history: its instructions, or upstream's own. */
export const compactionPrompt = (request: MessagesRequest): string => instructionsOf(request) || builtIn

/** Why no summary was written; undefined when one was. */
const failure = ({ content, stopReason = "end_turn" }: Answer, isCut: boolean): string | undefined => {
  if (isCut) return "max_tokens"
  if (content.some(isToolUse)) return "tool_use"
  if (stopReason !== "end_turn" && stopReason !== "compaction") return stopReason
  return textOf(content).trim() === "" ? "end_turn" : undefined
}

const nothing = promptUsage({ input: 0, cacheRead: 0, write5m: 0, write1h: 0 })

const spent = (prompt: ApiUsage, output: number): ApiUsage => ({
  type: "compaction",
  input_tokens: prompt.input_tokens ?? 0,
  cache_creation_input_tokens: prompt.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: prompt.cache_read_input_tokens ?? 0,
  cache_creation: prompt.cache_creation ?? null,
  output_tokens: output
})

/**
 * The answer to a request for compaction: one signed block, or, when the model wrote no summary, nothing. Billed either
 * way, as an iteration that the top level does not count. `answer` is the model's: its text becomes the summary.
 */
export const compacted = (options: Omit<GenerateOptions, "toolUseId">): AssistantMessage => {
  const { answer, bill, messageId, model, request, tokenizer } = options
  const summary = textOf(answer.content)
  const counted = scaled({ text: tokenizer.text(summary), fixed: 0 }, model.scale)
  const wanted = answer.outputTokens ?? Math.max(1, counted)
  const failed = failure(answer, wanted > request.max_tokens)
  return {
    id: messageId,
    type: "message",
    role: "assistant",
    model: model.id,
    content: failed === undefined ? [sealed(summary)] : [],
    stop_reason: failed ?? "compaction",
    stop_sequence: null,
    usage: { ...nothing, iterations: [spent(promptUsage(bill), Math.min(wanted, request.max_tokens))] }
  }
}
