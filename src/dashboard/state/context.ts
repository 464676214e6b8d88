import type { ContextView } from "../api/types.ts"
import type { Compaction, Request } from "./tail.ts"
import { promptTokens } from "./usage.ts"

export type Entry = ContextView["entries"][number]

/** A part of a message as it is shown: what it is, and its text. */
export interface Part {
  readonly kind: "text" | "thinking" | "tool call" | "tool result" | "other"
  readonly title: string
  readonly text: string
}

export interface Shown {
  readonly role: string
  readonly parts: ReadonlyArray<Part>
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Longer texts are cut for the eye; the API has them whole. */
const longest = 20_000

const cut = (text: string): string =>
  text.length <= longest ? text : `${text.slice(0, longest)}\n… ${text.length - longest} more characters`

const plain = (content: unknown): string => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) return JSON.stringify(content, null, 2) ?? ""
  return content
    .map((block) => (isFields(block) && typeof block.text === "string" ? block.text : JSON.stringify(block)))
    .join("\n")
}

const partOf = (block: unknown): Part => {
  if (!isFields(block)) return { kind: "other", title: "", text: cut(String(block)) }
  switch (block.type) {
    case "text":
      return { kind: "text", title: "", text: cut(String(block.text)) }
    case "thinking":
      return { kind: "thinking", title: "Thinking", text: cut(String(block.thinking)) }
    case "tool_use":
      return {
        kind: "tool call",
        title: `Calls ${String(block.name)}`,
        text: cut(JSON.stringify(block.input, null, 2))
      }
    case "tool_result":
      return {
        kind: "tool result",
        title: block.is_error === true ? "Failed result" : "Result",
        text: cut(plain(block.content))
      }
    default:
      return { kind: "other", title: String(block.type), text: cut(JSON.stringify(block, null, 2)) }
  }
}

const partsOf = (content: unknown): ReadonlyArray<Part> =>
  Array.isArray(content) ? content.map(partOf) : [{ kind: "text", title: "", text: cut(String(content)) }]

/** A prepared request's messages, made readable. */
export const readable = (messages: ReadonlyArray<unknown>): ReadonlyArray<Shown> =>
  messages.map((message) =>
    isFields(message)
      ? { role: String(message.role), parts: partsOf(message.content) }
      : { role: "?", parts: partsOf(message) }
  )

/** A message in one line or two, for a list. */
export const excerptOf = (content: unknown): string => {
  const parts = partsOf(content).map(({ text, title }) => [title, text].filter((part) => part !== "").join(": "))
  const whole = parts.join(" · ").replace(/\s+/g, " ")
  return whole.length > 280 ? `${whole.slice(0, 279)}…` : whole
}

/** Neighbouring full messages of one band become one block, so that a strip of thousands stays a strip. */
export const blocksOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> => {
  const blocks: Array<Entry> = []
  for (const entry of entries) {
    const last = blocks.at(-1)
    if (last !== undefined && !last.segment && !entry.segment && last.band === entry.band) {
      blocks[blocks.length - 1] = { ...last, to: entry.to, tokens: last.tokens + entry.tokens }
    } else blocks.push(entry)
  }
  return blocks
}

/** Requests that write summaries are about a conversation, not of it. */
const summarizer = "summarizer"

/** What a conversation sent and would have sent, request by request that reached upstream, as far as the live feed told it. */
export const historyOf = (requests: ReadonlyArray<Request>, conversation: string) => {
  const own = requests
    .filter(
      ({ agent, cache, conversation: of, usage }) =>
        of === conversation && cache !== "hit" && agent !== summarizer && promptTokens(usage) > 0
    )
    .toReversed()
  return {
    at: own.map(({ at }) => at / 1000),
    sent: own.map(({ usage }) => promptTokens(usage)),
    raw: own.map(({ rawTokens }) => rawTokens)
  }
}

/** A compaction and what the request after it cost: cache writes make it the dear one. */
export const pricedCompactions = (
  compactions: ReadonlyArray<Compaction>,
  requests: ReadonlyArray<Request>,
  conversation: string
) => {
  const own = requests.filter((request) => request.conversation === conversation && request.agent !== summarizer)
  return compactions
    .filter((compaction) => compaction.conversation === conversation)
    .map((compaction) => ({ ...compaction, next: own.findLast(({ at }) => at >= compaction.at) }))
}

/** What was paid for the summaries of a conversation, as far as the live feed told it. */
export const summariesOf = (requests: ReadonlyArray<Request>, conversation: string) => {
  const own = requests.filter((request) => request.conversation === conversation && request.agent === summarizer)
  return { requests: own.length, nanoUsd: own.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0) }
}
