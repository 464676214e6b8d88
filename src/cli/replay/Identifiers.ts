import { type ContentBlock, isText, isToolResult, isToolUse, type Message } from "../../domain/Message.ts"

/** Addresses whole; otherwise runs of what identifiers are made of. */
const run = /https?:\/\/[^\s"'`<>()[\]{}|\\]+|[A-Za-z0-9_~./@-][A-Za-z0-9_~./@+-]*/g
const quoted = /(["`])([^"`\n]{4,60})\1/g

/** Characters; what is longer is data. */
const longest = 200
const plainWord = /^[A-Za-z]?[a-z]*$/
const edges = /^(?:\.\/|[-@+])+|[./@+-]+$/g
const url = /^https?:\/\//
const number = /^\d+(?:\.\d+)*$/
const manyDigits = /(?:\d\D*){3}/
const rooted = /^(?:\/|~\/|\.\.\/)[\w.@-].*[A-Za-z]/
const deep = /^[^/]+\/[^/]+\/.*[^/]/
const file =
  /[\w-]\.(?:[cm]?[jt]sx?|jsonl?|md|py|go|rs|java|kt|[ch]|cc|cpp|cs|rb|php|sh|ya?ml|toml|lock|sql|html|css|scss|vue|svelte|txt|log|csv|xml|env|proto|tf|ini|cfg|conf|png|svg|pdf)$/
const snake = /[A-Za-z\d]_+[A-Za-z\d]/
const camel = /[a-z\d][A-Z]/
/** Letters and at least two digits: a hash, a ticket, the id of something. */
const mixed = /^(?=.*[A-Za-z])(?=.*\d.*\d)(?!.*\.\.)[A-Za-z\d._@+-]{6,}$/

/** A name in quotes has a space or a hyphen and no code in it. */
const quotedName = /^[\p{L}\d][^{}()<>;=\\$]*[\s-][^{}()<>;=\\$]*[\p{L}\d.!?]$/u

const isNumber = (token: string): boolean => number.test(token) && manyDigits.test(token)
const isPath = (token: string): boolean =>
  file.test(token) || (token.includes("/") && (rooted.test(token) || deep.test(token)))
const isWord = (word: string): boolean => snake.test(word) || camel.test(word) || mixed.test(word) || isNumber(word)

const wordsOf = (token: string): ReadonlyArray<string> => token.split(/[^A-Za-z0-9_]+/).filter(isWord)

/** The identifiers that a run of characters stands for. */
const usedIn = (token: string): ReadonlyArray<string> =>
  url.test(token) || isPath(token) || isNumber(token) || mixed.test(token) ? [token] : wordsOf(token)

/** Every ending of a path, so that `src/a.ts` is mentioned by `/home/me/src/a.ts`. */
const endings = (token: string): ReadonlyArray<string> =>
  Array.from(token.matchAll(/\/+(?=[^/])/g), (slash) => token.slice(slash.index + slash[0].length))

/** What a run of characters mentions: itself, its words, the endings of a path. */
const mentionedIn = (token: string): ReadonlyArray<string> => [
  ...usedIn(token),
  ...wordsOf(token),
  ...(token.includes("/") ? endings(token) : [])
]

const tokensOf = function* (text: string): Generator<string> {
  for (const [found] of text.matchAll(run)) {
    if (found.length < 3 || found.length > longest || plainWord.test(found)) continue
    const token = found.replace(edges, "")
    if (token.length >= 3) yield token
  }
}

const namesOf = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(quoted), (found) => found[2]?.trim() ?? "").filter((name) => quotedName.test(name))

const collect = (text: string, of: (token: string) => ReadonlyArray<string>, into: Set<string>): void => {
  for (const token of tokensOf(text)) for (const identifier of of(token)) into.add(identifier)
  for (const name of namesOf(text)) into.add(name)
}

/** Calls `visit` with every text inside a JSON value. */
const eachText = (value: unknown, visit: (text: string) => void): void => {
  if (typeof value === "string") visit(value)
  else if (typeof value === "number") visit(String(value))
  else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) eachText(inner, visit)
}

const eachTextOf = (block: ContentBlock, visit: (text: string) => void): void => {
  if (isText(block)) visit(block.text)
  else if (isToolUse(block)) eachText(block.input, visit)
  else if (isToolResult(block)) {
    if (typeof block.content === "string") visit(block.content)
    else for (const inner of block.content ?? []) eachTextOf(inner, visit)
  } else if (block.type === "thinking") eachText(block.thinking, visit)
}

/**
 * The identifiers that an answer uses in its text and in the input of its tools: paths, addresses, hashes and other ids,
 * numbers of three digits and more, names in quotes or back-ticks, camelCase and snake_case names.
 */
export const usedBy = (answer: ReadonlyArray<Message>): ReadonlySet<string> => {
  const used = new Set<string>()
  const visit = (text: string) => collect(text, usedIn, used)
  for (const { content } of answer) {
    if (typeof content === "string") visit(content)
    else for (const block of content) if (isText(block) || isToolUse(block)) eachTextOf(block, visit)
  }
  return used
}

const known = new WeakMap<object, ReadonlySet<string>>()

const remember = (key: object, read: (visit: (text: string) => void) => void): ReadonlySet<string> => {
  const before = known.get(key)
  if (before !== undefined) return before
  const mentioned = new Set<string>()
  read((text) => collect(text, mentionedIn, mentioned))
  known.set(key, mentioned)
  return mentioned
}

/** The identifiers that stand in a message, alone or as a part of longer ones; read once for each message or block object. */
export const mentionsOf = (message: Message): ReadonlyArray<ReadonlySet<string>> => {
  const { content } = message
  if (typeof content === "string") return [remember(message, (visit) => visit(content))]
  return content.map((block) => remember(block, (visit) => eachTextOf(block, visit)))
}
