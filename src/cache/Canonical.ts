type Fields = Readonly<Record<string, unknown>>

/** Where `cache_control` is a breakpoint and not somebody's data: blocks, and what these contain. */
const structural: ReadonlySet<string> = new Set(["content", "source"])

const hasToJson = (value: object): value is { toJSON: () => unknown } =>
  "toJSON" in value && typeof value.toJSON === "function"

const primitive = (value: unknown): string =>
  typeof value === "bigint" ? value.toString() : (JSON.stringify(value) ?? "null")

const fieldsText = (value: Fields, breakpoints: boolean): string => {
  let text = "{"
  for (const key of Object.keys(value).sort()) {
    const field = value[key]
    if (field === undefined || typeof field === "function" || (breakpoints && key === "cache_control")) continue
    const inner = canonical(field, breakpoints && structural.has(key))
    text += `${text === "{" ? "" : ","}${JSON.stringify(key)}:${inner}`
  }
  return `${text}}`
}

/**
 * JSON with sorted keys and no whitespace. With `breakpoints`, `cache_control` is left out of the value and of the
 * blocks it contains, but not out of data such as a tool's `input`.
 */
export const canonical = (value: unknown, breakpoints = false): string => {
  if (typeof value !== "object" || value === null) return primitive(value)
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, breakpoints)).join(",")}]`
  if (hasToJson(value)) return canonical(value.toJSON(), breakpoints)
  // Any other object is a record to JSON.
  return fieldsText(value as Fields, breakpoints)
}

/** `content` as blocks: the API takes a string for one text block, and a breakpoint turns the one into the other. */
export const canonicalContent = (content: unknown): string =>
  typeof content === "string" ? `[{"text":${JSON.stringify(content)},"type":"text"}]` : canonical(content, true)

/** A message, whichever way its content is written. */
export const canonicalMessage = (message: Fields): string => {
  let text = `{"content":${canonicalContent(message.content)}`
  for (const key of Object.keys(message).sort()) {
    if (key === "content" || key === "cache_control" || message[key] === undefined) continue
    text += `,${JSON.stringify(key)}:${canonical(message[key])}`
  }
  return `${text}}`
}
