import type { StoredMessage } from "../../domain/Conversation.ts"
import { type Content, type ContentBlock, isContentBlock, isMessage } from "../../domain/Message.ts"
import type { ApiUsage } from "../../domain/MessagesRequest.ts"

/** A recorded conversation: its messages in order, and for assistant messages the output tokens that were logged. */
export interface Transcript {
  readonly name: string
  readonly messages: ReadonlyArray<StoredMessage>
  /** Message number → logged `output_tokens` (a placeholder in some logs: a lower bound). */
  readonly outputTokens: ReadonlyMap<number, number>
}

/** A line that could not be used, and why. Lines count from 1. */
export interface SkippedLine {
  readonly file: string
  readonly line: number
  readonly reason: string
}

/** One line of a log, understood. `key` joins the lines of one API message; `branch` tells sub-agents apart. */
interface Entry {
  readonly role: StoredMessage["role"]
  readonly content: Content
  readonly at: number | undefined
  readonly key: string | undefined
  readonly branch: string
  readonly outputTokens: number | undefined
}

type Line = Entry | "ignore" | { readonly skip: string }

type Fields = Readonly<Record<string, unknown>>

const isFields = (u: unknown): u is Fields => typeof u === "object" && u !== null && !Array.isArray(u)

/** A time of day without a zone is read as UTC: pauses are the same wherever a log is replayed. */
const zoneless = /[T ][\d:.]+$/

const time = (value: unknown): number | undefined => {
  if (typeof value !== "string") return undefined
  const millis = Date.parse(zoneless.test(value) ? `${value}Z` : value)
  return Number.isNaN(millis) ? undefined : millis
}

const outputOf = (usage: unknown): number | undefined => {
  const tokens = isFields(usage) ? (usage as ApiUsage).output_tokens : undefined
  return typeof tokens === "number" ? tokens : undefined
}

/** Logs lost the signatures of thinking; with a stand-in the blocks weigh what was sent. */
const signed = (block: ContentBlock): ContentBlock =>
  block.type === "thinking" && typeof block.signature !== "string" ? { ...block, signature: "(not in the log)" } : block

const withSignatures = (content: Content): Content => (typeof content === "string" ? content : content.map(signed))

/** One API message a line: `{ role, content, timestamp?, usage? }`. */
const apiLine = (fields: Fields): Line => {
  if (!isMessage(fields)) return { skip: "not a message: `role` or `content` is missing or malformed" }
  return {
    role: fields.role,
    content: withSignatures(fields.content),
    at: time(fields.timestamp),
    key: undefined,
    branch: "",
    outputTokens: outputOf(fields.usage)
  }
}

/** A Claude Code session line: `{ type, message, timestamp, isSidechain, … }`, one line a content block. */
const sessionLine = (fields: Fields): Line => {
  const { message, type } = fields
  if (type !== "user" && type !== "assistant") return "ignore"
  if (fields.isCompactSummary === true || fields.isApiErrorMessage === true) return "ignore"
  if (!isFields(message) || message.model === "<synthetic>") return "ignore"
  if (!isMessage(message)) return { skip: "its `message` has no usable `role` and `content`" }
  const id = typeof message.id === "string" ? message.id : undefined
  return {
    role: message.role,
    content: withSignatures(message.content),
    at: time(fields.timestamp),
    key: id,
    branch: fields.isSidechain === true ? `agent-${String(fields.agentId ?? "sidechain")}` : "",
    outputTokens: outputOf(message.usage)
  }
}

const parse = (text: string): Line => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { skip: "not JSON (cut off?)" }
  }
  if (!isFields(value)) return { skip: "not a JSON object" }
  return "role" in value && !("message" in value) ? apiLine(value) : sessionLine(value)
}

const blocks = (content: Content): ReadonlyArray<ContentBlock> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content.filter(isContentBlock)

class Builder {
  private readonly messages: Array<StoredMessage> = []
  private readonly outputTokens = new Map<number, number>()
  private readonly byKey = new Map<string, number>()
  private readonly seenBlocks = new Set<string>()
  private lastAt: number | undefined

  add(entry: Entry): void {
    if (this.lastAt === undefined && entry.at !== undefined) this.begins(entry.at)
    this.lastAt = entry.at ?? this.lastAt
    const known = entry.key === undefined ? undefined : this.byKey.get(entry.key)
    const seq = known ?? this.messages.length
    if (entry.outputTokens !== undefined) {
      this.outputTokens.set(seq, Math.max(entry.outputTokens, this.outputTokens.get(seq) ?? 0))
    }
    if (known === undefined) this.push(entry, seq)
    else this.extend(entry, known)
  }

  /** What came before the first known time came just before it: nothing is known of a pause. */
  private begins(at: number): void {
    for (const [index, message] of this.messages.entries()) this.messages[index] = { ...message, createdAt: at }
  }

  private push({ content, key, role }: Entry, seq: number): void {
    this.messages.push({ seq, role, content, tokens: 0, createdAt: this.lastAt ?? 0 })
    if (key === undefined) return
    this.byKey.set(key, seq)
    this.seenBlocks.add(`${key}:${JSON.stringify(content)}`)
  }

  /** Another block of a message that is known; a copied line is not added twice. */
  private extend({ content, key }: Entry, seq: number): void {
    const message = this.messages[seq]
    const print = `${key}:${JSON.stringify(content)}`
    if (message === undefined || this.seenBlocks.has(print)) return
    this.seenBlocks.add(print)
    this.messages[seq] = { ...message, content: [...blocks(message.content), ...blocks(content)] }
  }

  build(name: string): Transcript {
    return { name, messages: this.messages, outputTokens: this.outputTokens }
  }
}

/** Reads the text of one log in either format; a Claude Code log with sub-agents gives one transcript for each. */
export const parseTranscripts = (
  name: string,
  text: string
): { readonly transcripts: ReadonlyArray<Transcript>; readonly skipped: ReadonlyArray<SkippedLine> } => {
  const branches = new Map<string, Builder>()
  const skipped: Array<SkippedLine> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim().length === 0) continue
    const entry = parse(line)
    if (entry === "ignore") continue
    if ("skip" in entry) {
      skipped.push({ file: name, line: index + 1, reason: entry.skip })
      continue
    }
    const builder = branches.get(entry.branch) ?? new Builder()
    branches.set(entry.branch, builder)
    builder.add(entry)
  }
  const transcripts = Array.from(branches, ([branch, builder]) =>
    builder.build(branch.length === 0 ? name : `${name}#${branch}`)
  )
  return { transcripts, skipped }
}
