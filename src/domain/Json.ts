/** The closing quote of the string that the escape at `escape` lies in. */
const endOfString = (text: string, escape: number): number => {
  let next = escape
  let quote = -1
  while (next >= 0) {
    const after = next + 2
    if (quote < after) quote = text.indexOf('"', after)
    next = text.indexOf("\\", after)
    if (next > quote) return quote
  }
  return quote
}

const whitespace = /[\t\n\r ]*/y
const scalar = /[^\t\n\r ,\]}]+/y

const skip = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at
  pattern.test(text)
  return Math.max(at, pattern.lastIndex)
}

/** Whether valid JSON has a property name with an escape in it. Linear, and at once false where nothing is escaped. */
const hasEscapedName = (text: string): boolean => {
  let escape = text.indexOf("\\")
  while (escape >= 0) {
    const end = endOfString(text, escape)
    if (text[skip(whitespace, text, end + 1)] === ":") return true
    escape = text.indexOf("\\", end)
  }
  return false
}

/** Reads text that is known to be valid JSON, name by name. */
class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  value(): unknown {
    switch (this.peek()) {
      case "{":
        return this.object()
      case "[":
        return this.array()
      case '"':
        return this.string()
      default:
        return this.token(skip(scalar, this.text, this.at))
    }
  }

  private object(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    for (this.at += 1; this.peek() !== "}"; this.comma()) {
      this.peek()
      const name = this.string()
      this.peek()
      this.at += 1
      // Not an assignment, which would take `__proto__` for something else.
      Object.defineProperty(object, name, { value: this.value(), ...property })
    }
    this.at += 1
    return object
  }

  private array(): ReadonlyArray<unknown> {
    const array: Array<unknown> = []
    for (this.at += 1; this.peek() !== "]"; this.comma()) array.push(this.value())
    this.at += 1
    return array
  }

  private string(): string {
    const quote = this.text.indexOf('"', this.at + 1)
    const escape = this.text.slice(this.at, quote).indexOf("\\")
    return String(this.token(1 + (escape < 0 ? quote : endOfString(this.text, this.at + escape))))
  }

  /** A single token is not affected. */
  private token(end: number): unknown {
    const token = this.text.slice(this.at, end)
    this.at = end
    return JSON.parse(token)
  }

  private comma(): void {
    if (this.peek() === ",") this.at += 1
  }

  private peek(): string | undefined {
    this.at = skip(whitespace, this.text, this.at)
    return this.text[this.at]
  }
}

const property = { writable: true, enumerable: true, configurable: true }

/**
 * `JSON.parse`, right about escaped property names too. V8 12.8 and later (Node 24 and 26) may read an escaped name as
 * another one that it saw before: after `{"h":0,"\\":0}`, `{"h":1,"\"":2}` comes back with a backslash for a name
 * (https://github.com/nodejs/node/issues/63785). Throws SyntaxError.
 */
export const parseJson = (text: string): unknown => {
  const value: unknown = JSON.parse(text)
  return hasEscapedName(text) ? new Reader(text).value() : value
}

/** Whether no text in a value ends or begins in the middle of a character, by half a surrogate pair. Takes any depth, and circles. */
export const isWellFormed = (value: unknown): boolean => {
  const seen = new Set<object>()
  const left: Array<unknown> = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next === "string" && !next.isWellFormed()) return false
    if (typeof next !== "object" || next === null || seen.has(next)) continue
    seen.add(next)
    for (const [name, inner] of Object.entries(next)) left.push(name, inner)
  }
  return true
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** Whether a value has no more than so many levels of objects and arrays. Deeper ones, and circles, exhaust the stack of who walks them. */
export const nestsAtMost = (levels: number, value: unknown): boolean => {
  let level = [value].filter(isObject)
  for (let depth = 0; depth < levels && level.length > 0; depth++) {
    level = [...new Set(level.flatMap((object) => Object.values(object).filter(isObject)))]
  }
  return level.length === 0
}

/** The same with U+FFFD in place of each half; what is whole already comes back as it is. */
export const wellFormed = <A>(value: A): A =>
  isWellFormed(value)
    ? value
    : JSON.parse(JSON.stringify(value), (_, inner) => (typeof inner === "string" ? inner.toWellFormed() : inner))

const json = JSON as typeof JSON & { readonly isRawJSON: (u: unknown) => boolean }

/** A number with its own text, made by `JSON.rawJSON`: only as it is does `JSON.stringify` write it, a copy is another thing. */
export const isExactNumber = (u: unknown): boolean => json.isRawJSON(u)
