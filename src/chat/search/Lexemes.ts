import { type Term, type Wanted, wordsOf } from "../excerpt.ts"
import { type Mentions, toolNamed } from "./Mentions.ts"

/**
 * Messages of one block of the index. Each word is stored with its conversation and block (`7.2:commit`): what is written
 * lies together in the index, however large it is, and what is read belongs to this conversation alone.
 */
export const blockSize = 4_096

export const blockOf = (seq: number): number => Math.floor(seq / blockSize)

/** The number after the last message of a block. */
export const endOf = (block: number): number => (block + 1) * blockSize

/** Characters of a message whose words are kept, and about what they may take: a tsvector holds less than 1 MB. */
const longestText = 200_000
const mostBytes = 800_000
const mostMentions = 256
const positionsPerWord = 64
const lastPosition = 16_383

const quoted = (text: string): string => `'${text.replace(/['\\]/g, "$&$&")}'`

interface Space {
  readonly word: (word: string) => string
  readonly tool: (name: string) => string
  readonly agent: (word: string) => string
}

const spaceOf = (conversation: string, block: number): Space => {
  const prefix = `${conversation}.${block}`
  return {
    word: (word) => quoted(`${prefix}:${word}`),
    tool: (name) => quoted(`${prefix}/t/${toolNamed(name)}`),
    agent: (word) => quoted(`${prefix}/a/${word}`)
  }
}

const positionsOf = (text: string): ReadonlyMap<string, ReadonlyArray<number>> => {
  const found = new Map<string, Array<number>>()
  for (const [index, word] of wordsOf(text.slice(0, longestText)).entries()) {
    const known = found.get(word)
    const position = Math.min(index + 1, lastPosition)
    if (known === undefined) found.set(word, [position])
    else if (known.length < positionsPerWord) known.push(position)
  }
  return found
}

/** What the index keeps of a message, as a tsvector is written. */
export const vectorOf = (conversation: string, seq: number, text: string, { agents, tools }: Mentions): string => {
  const space = spaceOf(conversation, blockOf(seq))
  const parts = [...Array.from(tools, space.tool), ...Array.from(agents, space.agent)].slice(0, mostMentions)
  let bytes = 0
  for (const [word, positions] of positionsOf(text)) {
    bytes += 4 * word.length + 2 * positions.length + 24
    if (bytes > mostBytes) break
    parts.push(`${space.word(word)}:${positions.join(",")}`)
  }
  return parts.join(" ")
}

/** What may narrow every query. */
export interface Filter {
  readonly tool?: string | undefined
  readonly agent?: string | undefined
}

/** Undefined when nothing is asked for; a filter without any word is for something that does not exist. */
export const filterOf = ({ agent, tool }: Filter) =>
  tool === undefined && agent === undefined
    ? undefined
    : (space: Space): string =>
        [
          ...(tool === undefined ? [] : [space.tool(tool)]),
          ...(agent === undefined ? [] : agentWords(agent).map(space.agent))
        ].join(" & ")

const agentWords = (agent: string): ReadonlyArray<string> => {
  const words = wordsOf(agent).slice(0, 16)
  return words.length === 0 ? ["?"] : words
}

const term =
  ({ text, whole }: Term) =>
  (space: Space) =>
    `${space.word(text)}${whole ? "" : ":*"}`

/** A condition in one block; together they make a tsquery over several. */
export type Condition = (space: Space) => string

export const anyOf =
  (terms: ReadonlyArray<Term>): Condition =>
  (space) =>
    `(${terms.map((one) => term(one)(space)).join(" | ")})`

export const allOf =
  (terms: ReadonlyArray<Term>): Condition =>
  (space) =>
    `(${terms.map((one) => term(one)(space)).join(" & ")})`

export const phraseOf =
  ({ phrase }: Wanted): Condition =>
  (space) =>
    `(${phrase.map(space.word).join(" <-> ")})`

export const queryOf = (
  conversation: string,
  blocks: ReadonlyArray<number>,
  ...conditions: ReadonlyArray<Condition | undefined>
): string =>
  blocks
    .map((block) => {
      const space = spaceOf(conversation, block)
      return `(${conditions.flatMap((condition) => condition?.(space) ?? []).join(" & ")})`
    })
    .join(" | ")
