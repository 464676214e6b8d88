import type { Said } from "./SummarySource.ts"

/** What can be checked letter for letter: URLs, quoted code, paths, file names, numbers of two digits on, identifiers. */
const claims = new RegExp(
  [
    /https?:\/\/[^\s)"'`]+/u,
    /`[^`]+`/u,
    /[\p{L}\p{N}_@.-]+(?:\/[\p{L}\p{N}_@.-]+)+/u,
    /(?<![\p{L}\p{N}_.-])[\p{L}\p{N}_-]{2,}(?:\.[\p{L}\p{N}_-]+)*\.\p{L}[\p{L}\p{N}]{0,7}(?![\p{L}\p{N}])/u,
    /\b[\w-]*\d[\w.-]*\d[\w.-]*\b/u,
    /\b[a-z]+[A-Z]\w+\b/u,
    /\b\w+_\w+\b/u
  ]
    .map(({ source }) => source)
    .join("|"),
  "gu"
)
const digits = /(?<![\w.-])\d(?![\w-]|\.\d)/g

const bare = (claim: string): string => claim.replace(/^[`.]+|[`.,;:]+$/g, "")

const quoted = /["“]([^"“”]{2,80})["”]/g
/** A capitalised word behind another one of its sentence: where a sentence starts, every word is capitalised. */
const named = /(?<=[\p{L}\p{N},)'’"”] ["“(]?)\p{Lu}[\p{L}\p{N}]+(?:[-'’]\p{L}+)*/gu
/** What an agent's line begins with: its name, alone or with what it is. */
const agentNamed =
  /^(?:(?:the )?(?:sub-?)?agents? )?((?:[\p{L}\p{N}_-]{1,60} ){0,3}[\p{L}\p{N}_-]{1,60})(?=:| \(| [–—-] |['’]s )/iu

/** What somebody does: the word in front of it, or behind it, may be a name, whatever its case and its place. */
const acts =
  "approved?s?|agreed|confirm(?:s|ed)|said|says|wants?|wanted|insist(?:s|ed)|request(?:s|ed)|promised|suggest(?:s|ed)|authori[sz](?:es|ed)|review(?:s|ed)|reported|complained|volunteered"
const deeds =
  "asked|told|tells|decided|decides|found|fixed|wrote|merged|deployed|pushed|refused|rejected|owns|took over|created|implemented|committed|noticed|thinks|thought|knows|needs|works on|waits for|will"
const actor = new RegExp(`([\\p{L}\\p{N}-]+)(?:['’]s)? (?:has |have |had )?(?:${acts}|${deeds})\\b`, "giu")
const actedOn = new RegExp(
  `\\b(?:(?:asked|told|assigned to|delegated to|(?:sub-?)?agent|named|called)|(?:${acts}|${deeds}|written|done|made|owned) by) (?:the )?([\\p{L}\\p{N}-]+)`,
  "giu"
)
/** What stands in a name's place without being one. */
const noName =
  /^(?:an?|the|it|its|he|she|they|we|you|i|who|which|what|that|this|these|those|him|her|them|us|me|there|one|none|no|not|nobody|noone|nothing|somebody|someone|everybody|everyone|everything|all|both|each|neither|either|some|any|others?|was|were|is|are|been|be|being|has|have|had|as|and|or|but|also|then|now|just|only|still|later|again|first|never|always|so|if|when|after|before|to|by|for|of|in|on|at|from|with|hand|default|mistake|accident|how|why|where|whether|about|did|does|do|can|could|should|would|will|may|must|analysis|evidence|investigation|inspection|verification|measurements?|benchmarks?|experiments?|checks?|tests?|results?|outputs?|logs?|docs|documentation|compiler|linter|team|people|\p{L}+ly|\p{L}+ing)$/iu

/** What the user is said to have said or allowed. */
const usersAct = new RegExp(
  `\\busers?(?:['’]s)?(?: \\p{L}+){0,2} (?:${acts}|approv\\p{L}*|allow\\p{L}*|permi\\p{L}*|accept\\p{L}*|consent\\p{L}*|grant\\p{L}*|ask\\p{L}*|told|tells|decid\\p{L}*|instruct\\p{L}*|forb\\p{L}*|demand\\p{L}*)\\b|(?:${acts}|allowed|permitted|accepted|granted|asked for|decided) by (?:the )?user`,
  "iu"
)

const word = /[\p{L}\p{N}]+/gu

/** Words of summaries, not of conversations. */
const roles: ReadonlySet<string> = new Set(["user", "agent", "agents", "subagent", "assistant", "orchestrator", "s"])

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  Array.from(text.matchAll(pattern), ([whole, group]) => group ?? whole)

const isDigit = (char: string | undefined): boolean => char !== undefined && /\d/.test(char)

/** "3rd", "10ms", "v2" name the number; letters and digits in a longer row are an id that only holds it. */
const partOfId = (before: string, behind: string): boolean =>
  /[\p{L}\p{N}_]{3}$|\p{N}\p{L}{1,2}$/u.test(before) || /^(?:\p{L}{5}|\p{L}{1,4}[\p{N}_])/u.test(behind)

/** Nobody says so long a number, name or path in a sentence. */
const longestClaim = 200

const digitsFrom = (source: string, at: number): number => {
  let end = at
  while (isDigit(source[end])) end++
  return end
}

/** Letter for letter; a number is not found inside a longer one, or inside an id. */
const holds = (source: string, claim: string): boolean => {
  if (claim.length > longestClaim) return false
  const isNumber = /^\d+$/.test(claim)
  for (let at = source.indexOf(claim); at >= 0; ) {
    const end = at + claim.length
    const cutBefore = isDigit(claim[0]) && isDigit(source[at - 1])
    const cutBehind = isDigit(claim.at(-1)) && isDigit(source[end])
    const inId = isNumber && partOfId(source.slice(Math.max(0, at - 3), at), source.slice(end, end + 5))
    if (!cutBefore && !cutBehind && !inId) return true
    at = source.indexOf(claim, isNumber ? digitsFrom(source, at) : at + 1)
  }
  return false
}

/** Enough of a word to know it in its other forms. */
const stem = (text: string): string => text.slice(0, Math.max(4, Math.ceil(text.length * 0.6)))

const contentWords = (line: string): ReadonlyArray<string> =>
  (line.toLowerCase().match(word) ?? []).filter((text) => text.length > 3 && !roles.has(text))

/** The share of a line's words that a text says, in any form: 1 for a line without any. */
const shareIn = (line: string, lowered: string): number => {
  const words = contentWords(line)
  return words.length === 0 ? 1 : words.filter((text) => lowered.includes(stem(text))).length / words.length
}

/** Whether a line says nothing but what the source does, as far as that can be checked, and whose words it says. */
export interface Grounding {
  /** Paths, ids, numbers, code letter for letter; names and quoted words whatever their case. */
  readonly line: (line: string) => boolean
  /** The same for a line about an agent, which begins with its name. */
  readonly agent: (line: string) => boolean
  /** Most of it are words of the user's; or of the user's and the assistant's, not only of what tools returned. */
  readonly byUser: (line: string) => boolean
  readonly bySpeakers: (line: string) => boolean
}

const folded = (text: string): string => text.toLowerCase().replace(/\s+/g, " ")

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

export const groundingIn = ({ all, assistant, user }: Said): Grounding => {
  const small = once(() => folded(all))
  const users = once(() => folded(user))
  const speakers = once(() => folded(`${user}\n${assistant}`))
  const known = once((): ReadonlySet<string> => new Set(small().match(word)))
  const isWord = (part: string): boolean => roles.has(part) || known().has(part)
  const isKnown = (name: string): boolean => (name.toLowerCase().match(word) ?? []).every(isWord)
  const isNamed = (name: string): boolean =>
    noName.test(name) || isKnown(name) || small().includes(stem(name.toLowerCase()))
  const byUser = (text: string): boolean => shareIn(text, users()) >= 0.5
  const line = (text: string): boolean =>
    [...matches(text, claims), ...matches(text, digits)].every((claim) => holds(all, bare(claim))) &&
    matches(text, quoted).every((words) => small().includes(words.toLowerCase().replace(/[.,;:!?]$/, ""))) &&
    matches(text, named).every(isKnown) &&
    [...matches(text, actor), ...matches(text, actedOn)].every(isNamed) &&
    (!usersAct.test(text) || byUser(text))
  return {
    line,
    agent: (text) => line(text) && isKnown(agentNamed.exec(text)?.[1] ?? ""),
    byUser,
    bySpeakers: (text) => shareIn(text, speakers()) >= 0.5
  }
}

/** True when everything in the line that can be checked stands in the source. */
export const isGrounded = (line: string, source: string): boolean =>
  groundingIn({ all: source, user: source, assistant: "" }).line(line)

/** Says of a line whether others say it already: every id, number and path, and most words. */
export const saying = (lines: ReadonlyArray<string>): ((line: string) => boolean) => {
  const text = lines.join("\n")
  const lowered = folded(text)
  return (line) => matches(line, claims).every((claim) => holds(text, bare(claim))) && shareIn(line, lowered) >= 0.8
}
