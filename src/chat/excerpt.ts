import { blocksOf, type Content, type ContentBlock, isText, isToolResult, isToolUse } from "../domain/Message.ts"

/** What separates words: ASCII punctuation and white space. The same class stands in the SQL of `MessageSearch`. */
const separators = /[!-/:-@[-`{-~\s]+/

/** Too common to find anything by. */
const stopWords = new Set(
  "a an and are as at be been but by can did do does for from had has have how i if in is it its me my not of on or our so that the their then there they this to was we were what when where which who why will with you your".split(
    " "
  )
)

/** Longer queries say nothing more. */
const mostWords = 16

/** Every word of a query in its order, lower case: what the database's phrase search takes. */
export const phraseWords = (query: string): ReadonlyArray<string> =>
  query
    .toLowerCase()
    .split(separators)
    .filter((word) => word.length > 0)
    .slice(0, mostWords)

/** The words of a query, lower case, each once, the common ones left out unless nothing else remains. */
export const queryWords = (query: string): ReadonlyArray<string> => {
  const all = Array.from(new Set(query.toLowerCase().split(separators))).filter((word) => word.length > 0)
  const telling = all.filter((word) => !stopWords.has(word))
  return (telling.length > 0 ? telling : all).slice(0, mostWords)
}

const blockText = (block: ContentBlock): string => {
  if (isText(block)) return block.text
  if (isToolUse(block)) return `${block.name} ${JSON.stringify(block.input)}`
  if (isToolResult(block)) return typeof block.content === "string" ? block.content : readable(block.content ?? [])
  return ""
}

/** Everything in a content that a person can read. */
export const readable = (content: Content): string => blocksOf(content).map(blockText).filter(Boolean).join("\n")

const positions = (text: string, word: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = text.indexOf(word); at >= 0 && found.length < 50; at = text.indexOf(word, at + 1)) found.push(at)
  return found
}

export interface Match {
  /** 2: the query stands there letter for letter; 1: but for upper and lower case; 0: only words of it. */
  readonly exact: 0 | 1 | 2
  /** Different words that occur near each other, and in all. */
  readonly near: number
  readonly words: number
  readonly excerpt: string
}

const exactness = (text: string, query: string): { readonly at: number; readonly exact: Match["exact"] } => {
  if (query.length === 0) return { at: -1, exact: 0 }
  const at = text.indexOf(query)
  if (at >= 0) return { at, exact: 2 }
  const folded = text.toLowerCase().indexOf(query.toLowerCase())
  return { at: folded, exact: folded >= 0 ? 1 : 0 }
}

const densest = (hits: ReadonlyArray<{ readonly at: number; readonly word: string }>, chars: number) => {
  let best = { start: 0, near: 0 }
  for (const { at } of hits) {
    const near = new Set(hits.filter((hit) => hit.at >= at && hit.at < at + chars * 0.8).map((hit) => hit.word)).size
    if (near > best.near) best = { start: at, near }
  }
  return best
}

/** The passage of about `chars` characters that holds the query, or the most of its words. */
export const bestPassage = (text: string, query: string, chars: number): Match => {
  const lower = text.toLowerCase()
  const words = queryWords(query)
  const hits = words.flatMap((word) => positions(lower, word).map((at) => ({ at, word }))).sort((a, b) => a.at - b.at)
  const { at, exact } = exactness(text, query.trim())
  const best = densest(hits, chars)
  const start = Math.max(0, (exact > 0 ? at : best.start) - Math.floor(chars * 0.2))
  const passage = text.slice(start, start + chars).toWellFormed()
  const excerpt = `${start > 0 ? "…" : ""}${passage}${start + chars < text.length ? "…" : ""}`
  const near = exact > 0 ? words.length : best.near
  return { exact, near, words: new Set(hits.map((hit) => hit.word)).size, excerpt }
}
