import { blocksOf, type Content, type ContentBlock, isText } from "../domain/Message.ts"

/** ANSI escapes and other control characters that terminals print and nobody reads. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
const control = /\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g
/** Nearly no text has any: one quick look saves a rewrite. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const anyControl = /[\u0000-\u0008\u000b-\u001f\u007f]/

export const clean = (text: string): string => (anyControl.test(text) ? text.replace(control, "") : text)

/** White space that is more, or something else, than one space. */
const folds = /\s{2,}|[^\S ]/g

/** One line: white space folded, trimmed. */
export const oneLine = (text: string): string => clean(text).replace(folds, " ").trim()

/** Does not leave half of a surrogate pair at the cut. */
const safeEnd = (text: string, end: number): number => {
  const code = text.charCodeAt(end - 1)
  return code >= 0xd800 && code <= 0xdbff ? end - 1 : end
}

const safeStart = (text: string, start: number): number => {
  const code = text.charCodeAt(start)
  return code >= 0xdc00 && code <= 0xdfff ? start + 1 : start
}

export const head = (text: string, chars: number): string =>
  text.length <= chars ? text : text.slice(0, safeEnd(text, Math.max(0, chars)))

export const tail = (text: string, chars: number): string =>
  text.length <= chars ? text : text.slice(safeStart(text, text.length - Math.max(0, chars)))

/** At most `chars` characters, cut at a word where there is one near, with an ellipsis. */
export const clip = (text: string, chars: number): string => {
  if (text.length <= chars) return text
  const cut = head(text, chars - 1)
  const space = cut.lastIndexOf(" ")
  return `${space > chars * 0.7 ? cut.slice(0, space) : cut}…`
}

/** Head and tail with the cut marked, about `chars` characters in all. */
export const headAndTail = (text: string, chars: number): string => {
  if (text.length <= chars) return text
  const first = Math.ceil(chars * 0.6)
  const last = Math.max(0, chars - first)
  return `${head(text, first)}\n[… ${text.length - first - last} characters cut …]\n${tail(text, last)}`
}

/** The readable text of a content: text blocks only, joined by line breaks. */
export const textOf = (content: Content | undefined): string => {
  if (content === undefined) return ""
  if (typeof content === "string") return content
  return blocksOf(content)
    .map((block: ContentBlock) => (isText(block) ? block.text : ""))
    .filter((text) => text.length > 0)
    .join("\n")
}
