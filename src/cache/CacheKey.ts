import { hash } from "node:crypto"
import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { canonical, canonicalContent, canonicalMessage } from "./Canonical.ts"

/** Messages are chained in runs of this many, so that a fresh history costs one chain hash per run. */
const width = 16
/** A canonical text no longer than this stands for itself; hashing it would cost more than it saves. */
const inline = 256
const candidatesPerMessage = 4

interface Link {
  readonly previous: Link | undefined
  /** Messages from the start of the conversation to the end of this run. */
  readonly depth: number
  readonly messages: ReadonlyArray<Message>
  readonly digest: string
}

/** A name for a text, as good as unique. */
export const digest = (text: string): string => hash("sha256", text, "base64url")
/** Never ambiguous: no canonical text looks like a digest. */
const short = (text: string): string => (text.length <= inline ? text : digest(text))

const covers = (link: Link, messages: ReadonlyArray<Message>): boolean => {
  for (let at: Link | undefined = link; at !== undefined; at = at.previous) {
    const start = at.depth - width
    for (let i = width - 1; i >= 0; i--) if (messages[start + i] !== at.messages[i]) return false
  }
  return true
}

const memoised = <A>(make: (value: object) => A): ((value: object) => A) => {
  const known = new WeakMap<object, A>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    const made = make(value)
    known.set(value, made)
    return made
  }
}

/** Of a message, whatever its breakpoints: a name for its content, and its length. Read once while the message lives. */
export const messageDigest = memoised((message) => {
  const text = canonicalMessage(message as Message)
  return { name: short(text), chars: text.length }
})

const namesOf = (messages: ReadonlyArray<Message>): string =>
  messages.map((message) => messageDigest(message).name).join(",")

/** The digest of a conversation. Each message is read once; a conversation that grew costs its new messages. */
const makeChain = () => {
  const links = new WeakMap<Message, Array<Link>>()

  const longestKnown = (messages: ReadonlyArray<Message>): Link | undefined => {
    let wrong = 0
    for (let depth = messages.length - (messages.length % width); depth > 0; depth -= width) {
      // In range: 0 < depth <= messages.length.
      for (const link of links.get(messages[depth - 1] as Message) ?? []) {
        if (link.depth !== depth) continue
        if (covers(link, messages)) return link
        if (++wrong >= candidatesPerMessage) return undefined
      }
    }
    return undefined
  }

  const extend = (previous: Link | undefined, run: ReadonlyArray<Message>): Link => {
    const text = `${previous?.digest ?? ""}[${namesOf(run)}`
    const link: Link = { previous, depth: (previous?.depth ?? 0) + width, messages: run, digest: digest(text) }
    // A run is never empty.
    const last = run[width - 1] as Message
    links.set(last, [link, ...(links.get(last) ?? [])].slice(0, candidatesPerMessage))
    return link
  }

  return (messages: ReadonlyArray<Message>): string => {
    let link = longestKnown(messages)
    for (let at = link?.depth ?? 0; at + width <= messages.length; at += width) {
      link = extend(link, messages.slice(at, at + width))
    }
    return `${link?.digest ?? ""}[${namesOf(messages.slice(link?.depth ?? 0))}]`
  }
}

const apart: ReadonlySet<string> = new Set(["messages", "system", "tools", "stream", "cache_control", "diagnostics"])

/** Without a prototype: a field may have any name. */
const parameters = (request: MessagesRequest): string => {
  const rest: Record<string, unknown> = Object.create(null)
  for (const field of Object.keys(request)) if (!apart.has(field)) rest[field] = request[field]
  return canonical(rest)
}

/** Tool definitions in their order; a breakpoint sits on the definition itself, the rest of it is data. */
const canonicalTools = (tools: unknown): string =>
  Array.isArray(tools) ? `[${tools.map((tool) => canonical(withoutBreakpoint(tool))).join(",")}]` : canonical(tools)

const withoutBreakpoint = (tool: unknown): unknown => {
  if (typeof tool !== "object" || tool === null || !("cache_control" in tool)) return tool
  const { cache_control: _, ...rest } = tool
  return rest
}

/** A value that is an object is remembered by identity, anything else is small or rare enough to be read again. */
const byIdentity = (make: (value: unknown) => string) => {
  const ofObject = memoised((value) => short(make(value)))
  return (value: unknown): string => {
    if (value === undefined) return ""
    return typeof value === "object" && value !== null ? ofObject(value) : short(make(value))
  }
}

/** Remembers the last one: a system prompt is the same text from request to request. */
const lastOne = (make: (value: unknown) => string) => {
  let last: unknown
  let made = make(last)
  return (value: unknown): string => {
    if (value !== last) {
      made = make(value)
      last = value
    }
    return made
  }
}

export type CacheKey = (request: MessagesRequest, tenant: string, betas?: ReadonlyArray<string>) => string

/**
 * Makes the function that names a request: the hex SHA-256 of its canonical form, its tenant and its betas. Key order,
 * whitespace, `stream`, `cache_control`, `diagnostics` and whether a lone text is written as a string or as a block do not matter;
 * everything else does. Messages, tools and system blocks are remembered by identity and must not be changed in place.
 */
export const makeCacheKey = (): CacheKey => {
  const toolsDigest = byIdentity(canonicalTools)
  const systemDigest = lastOne(byIdentity(canonicalContent))
  const chain = makeChain()

  return (request, tenant, betas = []) => {
    const parts = [
      canonical([tenant, [...new Set(betas)].sort()]),
      parameters(request),
      toolsDigest(request.tools),
      systemDigest(request.system),
      chain(request.messages)
    ]
    return hash("sha256", parts.join("\n"))
  }
}
