import { blocksOf, type Content, type ContentBlock, isText, isToolResult, isToolUse } from "../domain/Message.ts"

/** What is written without spaces between words; every character counts as a word. */
const unspaced = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}"
const word = new RegExp(`[${unspaced}]|[^${unspaced}\\p{P}\\p{S}\\p{Z}\\p{C}\\s]+`, "gu")
const joined = new RegExp(`[^${unspaced}\\p{P}\\p{S}\\p{Z}\\p{C}\\s]`, "u")

/** Longer words are known by their beginning. Characters. */
const longestWord = 200

/** The words of a text in their order, lower case. */
export const wordsOf = (text: string): ReadonlyArray<string> =>
  (text.toLowerCase().match(word) ?? []).map((found) => (found.length > longestWord ? cut(found) : found))

const cut = (text: string): string => text.slice(0, longestWord).toWellFormed()

/** Too common to find anything by. */
const stopWords = new Set(
  "a an and are as at be been but by can did do does for from had has have how i if in is it its me my not of on or our so that the their then there they this to was we were what when where which who why will with you your".split(
    " "
  )
)

/** Longer queries say nothing more. */
const mostWords = 16

/** What a query looks for: words that begin with `text`, or, when they are to be `whole`, that word. */
export interface Term {
  readonly text: string
  readonly whole: boolean
}

/** A query, taken apart once. */
export interface Wanted {
  /** As it was asked, trimmed. */
  readonly text: string
  /** Every word in its order. */
  readonly phrase: ReadonlyArray<string>
  /** The telling words, each once; the common ones only where nothing else is asked. */
  readonly terms: ReadonlyArray<Term>
}

/** Endings that change with the sentence: `analysed` and `analysis` begin alike. Ids keep every letter. */
const ending = /(?<=^\p{L}{4,})(?:ing|ed|es|s)$/u

const termOf = (text: string): Term => ({ text: text.replace(ending, ""), whole: text.length <= 3 })

export const wantedOf = (query: string): Wanted => {
  const phrase = wordsOf(query).slice(0, 4 * mostWords)
  const telling = phrase.filter((found) => !stopWords.has(found))
  const terms = new Map((telling.length > 0 ? telling : phrase).map((found) => [termOf(found).text, termOf(found)]))
  return {
    text: query.trim(),
    phrase: phrase.slice(0, mostWords),
    terms: Array.from(terms.values()).slice(0, mostWords)
  }
}

/** The tool whose calls and answers only repeat what is stored elsewhere: they are never found. */
export const recallTool = "recall_history"

/** Clients put the name of its MCP server before a tool's own. */
const isRecall = (name: string): boolean => name === recallTool || name.endsWith(`__${recallTool}`)

/** Every answer of that tool begins with this line. */
export const recalled = "[From the stored conversation]"

const resultText = (content: Content): string => {
  const text = typeof content === "string" ? content : readable(content)
  return text.startsWith(recalled) ? "" : text
}

const blockText = (block: ContentBlock): string => {
  if (isText(block)) return block.text
  if (isToolUse(block)) return isRecall(block.name) ? "" : `${block.name} ${JSON.stringify(block.input) ?? ""}`
  return isToolResult(block) ? resultText(block.content ?? "") : ""
}

/** Everything in a content that a person can read. */
export const readable = (content: Content): string => blocksOf(content).map(blockText).filter(Boolean).join("\n")

const mostHits = 50

/** A word does not begin inside another; characters of scripts without spaces stand alone. */
const stands = (text: string, at: number, { text: { length }, whole }: Term): boolean =>
  !(joined.test(text[at] ?? "") && joined.test(text[at - 1] ?? "")) && !(whole && joined.test(text[at + length] ?? ""))

const positions = (text: string, term: Term): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = text.indexOf(term.text); at >= 0 && found.length < mostHits; at = text.indexOf(term.text, at + 1)) {
    if (stands(text, at, term)) found.push(at)
  }
  return found
}

export interface Match {
  /** 2: the query stands there letter for letter; 1: but for upper and lower case; 0: only words of it. */
  readonly exact: 0 | 1 | 2
  /** Weights of the different words that occur near each other, and in all. */
  readonly near: number
  readonly words: number
  readonly excerpt: string
}

const exactness = (text: string, lower: string, query: string): { readonly at: number; readonly exact: 0 | 1 | 2 } => {
  if (query.length === 0) return { at: -1, exact: 0 }
  const at = text.indexOf(query)
  if (at >= 0) return { at, exact: 2 }
  const folded = lower.indexOf(query.toLowerCase())
  return { at: folded, exact: folded >= 0 ? 1 : 0 }
}

interface Hit {
  readonly at: number
  readonly term: string
}

/** How much a word tells, by its text; 1 for each when nothing is known. */
export type Weights = ReadonlyMap<string, number>

const weigh = (terms: Iterable<string>, weights: Weights): number => {
  let sum = 0
  for (const term of new Set(terms)) sum += weights.get(term) ?? 1
  return sum
}

/** Where the most weight of different words lies within `span` characters. `hits` are in order. */
const densest = (hits: ReadonlyArray<Hit>, span: number, weights: Weights) => {
  const inside = new Map<string, number>()
  let best = { start: 0, near: 0 }
  let [end, near] = [0, 0]
  for (const { at, term } of hits) {
    for (let next = hits[end]; next !== undefined && next.at < at + span; next = hits[++end]) {
      const before = inside.get(next.term) ?? 0
      inside.set(next.term, before + 1)
      if (before === 0) near += weights.get(next.term) ?? 1
    }
    // Sums of the same weights in another order differ in the last digit.
    if (near > best.near + 1e-9) best = { start: at, near }
    const left = (inside.get(term) ?? 1) - 1
    inside.set(term, left)
    if (left === 0) near -= weights.get(term) ?? 1
  }
  return best
}

/** The passage of about `chars` characters that holds the query, or the most telling of its words. */
export const bestPassage = (
  text: string,
  { terms, text: query }: Wanted,
  chars: number,
  weights: Weights = new Map()
): Match => {
  const lower = text.toLowerCase()
  const hits = terms
    .flatMap((term) => positions(lower, term).map((at): Hit => ({ at, term: term.text })))
    .sort((a, b) => a.at - b.at)
  const { at, exact } = exactness(text, lower, query)
  const best = densest(hits, chars * 0.8, weights)
  const start = Math.max(0, (exact > 0 ? at : best.start) - Math.floor(chars * 0.2))
  const passage = text.slice(start, start + chars).toWellFormed()
  const excerpt = `${start > 0 ? "…" : ""}${passage}${start + chars < text.length ? "…" : ""}`
  const all = weigh(
    hits.map((hit) => hit.term),
    weights
  )
  return { exact, near: exact > 0 ? all : best.near, words: all, excerpt }
}
