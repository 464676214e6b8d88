import type { Message } from "../domain/Message.ts"

type Fields = Readonly<Record<string, unknown>>

/** Where `cache_control` is a breakpoint, which clients move from request to request, and not somebody's data. */
const structural: ReadonlySet<string> = new Set(["content", "source"])

const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null

const keysOf = (value: Fields, breakpoints: boolean): ReadonlyArray<string> => {
  const keys = Object.keys(value)
  return breakpoints && "cache_control" in value ? keys.filter((key) => key !== "cache_control") : keys
}

/** Equal as JSON; with `breakpoints`, wherever those stand. */
export const same = (a: unknown, b: unknown, breakpoints = false): boolean => {
  if (a === b) return true
  if (!isRecord(a) || !isRecord(b)) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index], breakpoints))
  }
  if (Array.isArray(b)) return false
  const keys = keysOf(a, breakpoints)
  if (keys.length !== keysOf(b, breakpoints).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key], breakpoints && structural.has(key)))
}

const asBlocks = (content: Message["content"]): unknown =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

/** A breakpoint turns a text into a block: both ways of writing it are one message. */
const sameContent = (a: Message["content"], b: Message["content"]): boolean =>
  typeof a === typeof b ? same(a, b, true) : same(asBlocks(a), asBlocks(b), true)

const sameMessage = (a: Message, b: Message): boolean => {
  if (a === b) return true
  const { content: aContent, ...aRest } = a
  const { content: bContent, ...bRest } = b
  return sameContent(aContent, bContent) && same(aRest, bRest, true)
}

/** How many messages the two have in common at their beginning. */
export const sharedLength = (a: ReadonlyArray<Message>, b: ReadonlyArray<Message>): number => {
  const most = Math.min(a.length, b.length)
  for (let index = 0; index < most; index++) {
    const [left, right] = [a[index], b[index]]
    if (left === undefined || right === undefined || !sameMessage(left, right)) return index
  }
  return most
}
