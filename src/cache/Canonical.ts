type Fields = Readonly<Record<string, unknown>>

/** Where `cache_control` is a breakpoint and not somebody's data: blocks, and what these contain. */
const structural: ReadonlySet<string> = new Set(["content", "source"])

const hasToJson = (value: object): value is { toJSON: () => unknown } =>
  "toJSON" in value && typeof value.toJSON === "function"

/** Its length in front, a text needs no escaping to be told from what follows: that halves the time. */
const quoted = (text: string): string => `"${text.length}:${text}`

/** Others stand for several numbers: beyond 2^53 two of a text are one in JavaScript, and beyond 2^1024 all of them are. */
const isExact = (value: unknown): boolean =>
  typeof value !== "number" || (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value))

const primitive = (value: unknown): string => {
  if (typeof value === "string") return quoted(value)
  if (!isExact(value)) throw new RangeError(`${value} may stand for several numbers: nothing can be named after it.`)
  return typeof value === "bigint" ? value.toString() : (JSON.stringify(value) ?? "null")
}

const fieldsText = (value: Fields, breakpoints: boolean): string => {
  let text = "{"
  for (const key of Object.keys(value).sort()) {
    const field = value[key]
    if (field === undefined || typeof field === "function" || (breakpoints && key === "cache_control")) continue
    text += `${quoted(key)}=${canonical(field, breakpoints && structural.has(key))},`
  }
  return `${text}}`
}

const itemsText = (items: ReadonlyArray<unknown>, breakpoints: boolean): string => {
  let text = "["
  for (const item of items) text += `${canonical(item, breakpoints)},`
  return `${text}]`
}

/**
 * A text that two JSON values share exactly when they are equal: keys in order, every string with its length. With
 * `breakpoints`, `cache_control` is left out of the value and of the blocks it contains, but not out of data such as a
 * tool's `input`. Throws where it cannot tell: a whole number beyond 2^53, nesting without end.
 */
export const canonical = (value: unknown, breakpoints = false): string => {
  if (typeof value !== "object" || value === null) return primitive(value)
  if (Array.isArray(value)) return itemsText(value, breakpoints)
  if (hasToJson(value)) return canonical(value.toJSON(), breakpoints)
  // Any other object is a record to JSON.
  return fieldsText(value as Fields, breakpoints)
}

/** `content` as blocks: the API takes a string for one text block, and a breakpoint turns the one into the other. */
export const canonicalContent = (content: unknown): string =>
  typeof content === "string" ? canonical([{ type: "text", text: content }]) : canonical(content, true)

/** A message, whichever way its content is written. */
export const canonicalMessage = (message: Fields): string => {
  let text = `{${canonicalContent(message.content)}`
  for (const key of Object.keys(message).sort()) {
    if (key === "content" || key === "cache_control" || message[key] === undefined) continue
    text += `${quoted(key)}=${canonical(message[key])},`
  }
  return `${text}}`
}
