import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { digest, messageDigest } from "./CacheKey.ts"
import { canonical, canonicalMessage } from "./Canonical.ts"

/** A part of a prompt that upstream caches: everything up to a breakpoint. */
export interface Prefix {
  readonly name: string
  /** Characters of its canonical text: a token is two to four of them. */
  readonly chars: number
}

/** What does not change a prompt's prefix in upstream's cache. */
const apart: ReadonlySet<string> = new Set([
  "messages",
  "system",
  "tools",
  "stream",
  "cache_control",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "metadata",
  "service_tier"
])

const isMarked = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "cache_control" in value && value.cache_control != null

/** Reads a prompt from its start, and notes what has been read at each breakpoint. */
class Reader {
  readonly prefixes: Array<Prefix> = []
  private text: string
  private chars = 0

  constructor(start: string) {
    this.text = start
  }

  read(name: string, chars: number): void {
    this.text += `${name},`
    this.chars += chars
  }

  /** A breakpoint here; after `partial`, which is not read, where it stands inside a message. */
  mark(partial = ""): void {
    this.prefixes.push({ name: digest(this.text + partial), chars: this.chars + partial.length })
  }
}

const readItems = (reader: Reader, items: unknown): void => {
  for (const item of Array.isArray(items) ? items : [items]) {
    const text = canonical(item, true)
    reader.read(text, text.length)
    if (isMarked(item)) reader.mark()
  }
}

const readMessage = (reader: Reader, message: Message): void => {
  const blocks = typeof message.content === "string" ? [] : message.content
  for (const [index, block] of blocks.slice(0, -1).entries()) {
    if (isMarked(block)) reader.mark(canonicalMessage({ ...message, content: blocks.slice(0, index + 1) }))
  }
  const { chars, name } = messageDigest(message)
  reader.read(name, chars)
  if (isMarked(blocks.at(-1))) reader.mark()
}

/**
 * The prefixes of a request that upstream caches, longest first: one for each breakpoint, the automatic one (a top-level
 * `cache_control`) at the end. Equal prefixes have equal names, whatever follows them; `account` tells apart who shares a cache.
 */
export const prefixesOf = (request: MessagesRequest, account: string): ReadonlyArray<Prefix> => {
  const settings = Object.fromEntries(Object.entries(request).filter(([field]) => !apart.has(field)))
  const reader = new Reader(canonical([account, settings]))
  if (request.tools !== undefined) readItems(reader, request.tools)
  if (request.system !== undefined) readItems(reader, request.system)
  for (const message of request.messages) readMessage(reader, message)
  if (isMarked(request)) reader.mark()
  return reader.prefixes.toReversed()
}

/** Whether there is any breakpoint at all: looked for before anything is read. */
export const hasBreakpoint = ({ messages, system, tools, ...rest }: MessagesRequest): boolean =>
  isMarked(rest) ||
  (Array.isArray(system) && system.some(isMarked)) ||
  (Array.isArray(tools) && tools.some(isMarked)) ||
  messages.some(({ content }) => typeof content !== "string" && content.some(isMarked))
