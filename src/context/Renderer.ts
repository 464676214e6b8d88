import type { StoredMessage } from "../domain/Conversation.ts"
import {
  blocksOf,
  type ContentBlock,
  isText,
  isToolResult,
  isToolUse,
  type Message,
  type Role,
  type ToolResultBlock,
  type ToolUseBlock
} from "../domain/Message.ts"
import { unmarked } from "./Prepared.ts"
import { shrinkContent, withoutThinking } from "./Shrink.ts"
import { textOf } from "./Text.ts"

export interface RenderOptions {
  /** Messages before this number go without thinking blocks: what they were bound to has been rewritten. */
  readonly thinkingFrom: number
  /** Characters per block, for messages that had to be cut. */
  readonly shrunk: ReadonlyMap<number, number>
  /** Breakpoints that came with the messages stay: nobody else sets any. */
  readonly keepMarks?: boolean
}

const isEmptyText = (block: ContentBlock): boolean => isText(block) && block.text.trim().length === 0

/** Upstream refuses thinking that it has not signed, so a log's unsigned thinking cannot go back to it. */
const isUnsigned = (block: ContentBlock): boolean =>
  (block.type === "thinking" && (typeof block.signature !== "string" || block.signature.length === 0)) ||
  (block.type === "redacted_thinking" && typeof block.data !== "string")

const none: ReadonlySet<ContentBlock> = new Set()

const textBlock = (text: string): ContentBlock => ({ type: "text", text })

const interrupted = (id: string): ToolResultBlock => ({
  type: "tool_result",
  tool_use_id: id,
  content: "[interrupted: no result was recorded]",
  is_error: true
})

const orphan = (block: ToolResultBlock): ContentBlock =>
  textBlock(`[result of a tool call that is not in this context, ${block.tool_use_id}]\n${textOf(block.content)}`)

const isServerUse = ({ type }: ContentBlock): boolean => type === "server_tool_use" || type === "mcp_tool_use"

/** Calls of upstream's own tools that it has not answered: it paused there, or broke off, and was not asked to go on. */
const unanswered = (blocks: ReadonlyArray<ContentBlock>): ReadonlySet<ContentBlock> => {
  const answered = new Set(blocks.filter(({ type }) => type.endsWith("_tool_result")).map((block) => block.tool_use_id))
  return new Set(blocks.filter((block) => isServerUse(block) && !answered.has(block.id)))
}

/** tool_result content may not hold empty text either. */
const cleanResult = (block: ToolResultBlock): ToolResultBlock => {
  if (typeof block.content === "string" || block.content === undefined || !block.content.some(isEmptyText)) return block
  return { ...block, content: block.content.filter((inner) => !isEmptyText(inner)) }
}

/**
 * Turns stored messages into legal API messages, run by run of one role, only ever appending: neighbours of one role
 * are merged, empty text is left out, every tool call gets its result in the next message, results without a call
 * become text, repeated call ids are renamed. A message that needs no repair is passed on as the very same object.
 */
export class Renderer {
  readonly messages: Array<Message> = []
  private readonly used = new Set<string>()
  private pending: ReadonlyArray<{ readonly given: string; readonly sent: string }> = []
  private readonly options: RenderOptions
  /** True until something follows an opening of the user's: the first user run joins it. */
  private opened: boolean

  constructor(options: RenderOptions, opening?: Message) {
    this.options = options
    this.opened = opening?.role === "user"
    if (opening !== undefined) this.messages.push(opening)
  }

  /** Renders messages up to the last one that is not the assistant's; answers how many it took. */
  append(stored: ReadonlyArray<StoredMessage>): number {
    let end = stored.length
    while (end > 0 && stored[end - 1]?.role === "assistant") end--
    for (let start = 0; start < end; ) {
      const role = stored[start]?.role ?? "user"
      let stop = start + 1
      while (stop < end && stored[stop]?.role === role) stop++
      this.run(role, stored.slice(start, stop), stored[stop])
      start = stop
    }
    return end
  }

  private run(role: Role, run: ReadonlyArray<StoredMessage>, next: StoredMessage | undefined): void {
    if (role === "assistant") this.assistant(run, next)
    else if (role === "user") this.user(run)
    else for (const message of run) this.messages.push({ role, content: message.content })
  }

  private blocks(message: StoredMessage): ReadonlyArray<ContentBlock> {
    const chars = this.options.shrunk.get(message.seq)
    const content = this.options.keepMarks ? message.content : unmarked(message.content)
    const kept = message.seq < this.options.thinkingFrom ? withoutThinking(content) : content
    return blocksOf(chars === undefined ? kept : shrinkContent(kept, chars)).filter(
      (block) => !isEmptyText(block) && !isUnsigned(block)
    )
  }

  private assistant(run: ReadonlyArray<StoredMessage>, next: StoredMessage | undefined): void {
    const calls: Array<{ given: string; sent: string }> = []
    const said = run.flatMap((message) => this.blocks(message))
    // Upstream answers its own calls behind the results of ours, but not behind anything else.
    const left = next !== undefined && blocksOf(next.content).every(isToolResult) ? none : unanswered(said)
    const blocks = said
      .filter((block) => !left.has(block))
      .map((block) => {
        if (!isToolUse(block)) return isToolResult(block) ? orphan(block) : block
        const sent = this.fresh(block)
        calls.push({ given: block.id, sent: sent.id })
        return sent
      })
    if (blocks.length === 0) return
    if (this.messages.length === 0) {
      this.messages.push({ role: "user", content: [textBlock("[The conversation begins with the assistant.]")] })
    }
    this.push("assistant", blocks, run)
    this.pending = calls
  }

  /** Call ids are unique in a request: the second of its name gets a number. */
  private fresh(block: ToolUseBlock): ToolUseBlock {
    let id = block.id
    for (let n = 2; this.used.has(id); n++) id = `${block.id}_${n}`
    this.used.add(id)
    return id === block.id ? block : { ...block, id }
  }

  private user(run: ReadonlyArray<StoredMessage>): void {
    // Two calls of one round may bear the same id: the first answer is the first call's.
    const waiting = Array.from(this.pending)
    this.pending = []
    const results: Array<ContentBlock> = []
    const rest: Array<ContentBlock> = []
    for (const block of run.flatMap((message) => this.blocks(message))) {
      if (!isToolResult(block)) rest.push(isToolUse(block) ? textBlock(JSON.stringify(block)) : block)
      else {
        const at = waiting.findIndex(({ given }) => given === block.tool_use_id)
        const [call] = at < 0 ? [] : waiting.splice(at, 1)
        if (call === undefined) rest.push(orphan(block))
        else {
          const result = cleanResult(block)
          results.push(call.sent === block.tool_use_id ? result : { ...result, tool_use_id: call.sent })
        }
      }
    }
    for (const { sent } of waiting) results.push(interrupted(sent))
    const blocks = [...results, ...rest]
    if (blocks.length === 0) {
      if (this.messages.at(-1)?.role === "user") return
      blocks.push(textBlock("[empty message]"))
    }
    this.push("user", blocks, run)
  }

  private push(role: Role, blocks: ReadonlyArray<ContentBlock>, run: ReadonlyArray<StoredMessage>): void {
    const only = run.length === 1 ? run[0] : undefined
    const last = this.messages.at(-1)
    const joins = this.opened && role === "user"
    this.opened = false
    if (joins && last !== undefined) {
      this.messages[0] = { role, content: [...blocksOf(last.content), ...blocks] }
    } else if (only !== undefined && untouched(only, blocks)) {
      this.messages.push({ role, content: only.content })
    } else this.messages.push({ role, content: blocks })
  }
}

const untouched = (message: StoredMessage, blocks: ReadonlyArray<ContentBlock>): boolean => {
  const { content } = message
  if (typeof content !== "string") {
    return content.length === blocks.length && content.every((block, index) => block === blocks[index])
  }
  const [only] = blocks
  return blocks.length === 1 && only !== undefined && isText(only) && only.text === content
}
