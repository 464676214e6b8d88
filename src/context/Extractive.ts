import type { Detail, StoredMessage } from "../domain/Conversation.ts"
import { type Fact, factsOf } from "./Facts.ts"
import { salience } from "./Salience.ts"
import { clip } from "./Text.ts"
import { writtenWeights } from "./Verified.ts"

export interface ExtractiveOptions {
  readonly detail: Detail
  readonly agentTools: ReadonlySet<string>
  /** Tokens the text may take. */
  readonly maxTokens: number
  readonly count: (text: string) => number
}

/** Line lengths in characters: a heavy summary keeps the gist of a line, a light one most of it. */
export const widths = { light: { promptChars: 1200, lineChars: 260 }, heavy: { promptChars: 600, lineChars: 180 } }

const clock = (millis: number): string => new Date(millis).toISOString().slice(0, 16).replace("T", " ")

/** First line of every summary: which messages it stands for and when they were written. */
export const title = (messages: ReadonlyArray<StoredMessage>): string => {
  const first = messages[0]
  const last = messages.at(-1)
  if (first === undefined || last === undefined) return "[Summary of no messages]"
  const when = `${clock(first.createdAt)} to ${clock(last.createdAt)} UTC`
  return `[Summary of messages ${first.seq}–${last.seq}, ${when}]`
}

/** Keeps the dearest facts that fit, says each once, and prints them in the order they happened. */
export const pack = (
  facts: ReadonlyArray<Fact>,
  room: number,
  count: (text: string) => number
): ReadonlyArray<string> => {
  const seen = new Set<string>()
  const kept: Array<number> = []
  let left = room
  const order = facts.map((_, index) => index).sort((a, b) => weigh(facts, b) - weigh(facts, a) || a - b)
  for (const index of order) {
    const fact = facts[index]
    if (fact === undefined || seen.has(fact.text)) continue
    const cost = count(fact.text) + 1
    if (cost > left) continue
    seen.add(fact.text)
    left -= cost
    kept.push(index)
  }
  return kept.sort((a, b) => a - b).map((index) => facts[index]?.text ?? "")
}

const weigh = (facts: ReadonlyArray<Fact>, index: number): number => {
  const fact = facts[index]
  return fact === undefined ? 0 : fact.weight - fact.text.length / 12
}

/** A summary made of the messages' own words: nothing in it that was not said. */
export const extract = (messages: ReadonlyArray<StoredMessage>, options: ExtractiveOptions): string => {
  const top = title(messages)
  const facts = factsOf(messages, { agentTools: options.agentTools, ...widths[options.detail] })
  const lines = pack(facts, options.maxTokens - options.count(top) - 2, options.count)
  return [top, ...lines].join("\n")
}

const heading = /^\[Summary of messages (\d+)–(\d+), (.+?) to (.+?)\]/

/** What a line of a summary was worth when it was chosen, told from its form. */
const lineWeight = (line: string): number => {
  if (line.startsWith("User:")) return 100
  if (line.startsWith("- User answered:")) return 97
  if (line.startsWith("- Agent ") || line.startsWith("  → agent ")) return 92
  const written = writtenWeights.find(([label]) => line.startsWith(label))
  if (written !== undefined) return written[1]
  return 38 + 2 * salience(line)
}

/** One title over the whole range of several summaries. */
const mergedTitle = (texts: ReadonlyArray<string>): string => {
  const first = heading.exec(texts[0] ?? "")
  const last = heading.exec(texts.at(-1) ?? "")
  if (first === null || last === null) return "[Summary of earlier messages]"
  return `[Summary of messages ${first[1]}–${last[2]}, ${first[3]} to ${last[4]}]`
}

/** Several summaries as one of at most `maxTokens`: their dearest lines, in order, long prompts clipped. */
export const merge = (texts: ReadonlyArray<string>, maxTokens: number, count: (text: string) => number): string => {
  const top = mergedTitle(texts)
  const facts = texts
    .flatMap((text) => text.split("\n"))
    .filter((line) => !heading.test(line))
    .map((line, seq): Fact => ({ seq, text: clip(line, 300), weight: lineWeight(line) }))
  return [top, ...pack(facts, maxTokens - count(top) - 2, count)].join("\n")
}
