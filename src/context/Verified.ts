import type { Fact } from "./Facts.ts"
import type { WrittenSummary } from "./SummaryWriter.ts"
import { clip, oneLine } from "./Text.ts"

/** What can be checked letter for letter: URLs, paths, hashes, numbers of two digits on, identifiers, quoted code. */
const claims =
  /https?:\/\/[^\s)"'`]+|`[^`]+`|[\w@.-]+(?:\/[\w@.-]+)+|\b[\w-]*\d[\w.-]*\d[\w.-]*\b|\b\d{2,}\b|\b[a-z]+[A-Z]\w+\b|\b\w+_\w+\b/g
const digits = /(?<![\w.-])\d(?![\w-]|\.\d)/g

const bare = (claim: string): string => claim.replace(/^[`.]+|[`.,;:]+$/g, "")

const quoted = /["“]([^"“”]{2,80})["”]/g
/** A capitalised word behind another one of its sentence: where a sentence starts, every word is capitalised. */
const named = /(?<=[\p{L}\p{N},)'’"”] ["“(]?)\p{Lu}[\p{L}\p{N}]+(?:[-'’]\p{L}+)*/gu
/** What an agent's line begins with: its name, alone or with what it is. */
const agentNamed = /^(?:(?:the )?(?:sub-?)?agents? )?((?:[\p{L}\p{N}_-]+ ?){1,4})(?=:| \(| [–—-] |['’]s )/iu

const word = /[\p{L}\p{N}]+/gu

/** Words of summaries, not of conversations. */
const roles: ReadonlySet<string> = new Set(["user", "agent", "agents", "subagent", "assistant", "orchestrator", "s"])

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  Array.from(text.matchAll(pattern), ([whole, group]) => group ?? whole)

const isDigit = (char: string | undefined): boolean => char !== undefined && /\d/.test(char)

/** Letter for letter; a number is not found inside a longer one. */
const holds = (source: string, claim: string): boolean => {
  for (let at = source.indexOf(claim); at >= 0; at = source.indexOf(claim, at + 1)) {
    const cutBefore = isDigit(claim[0]) && isDigit(source[at - 1])
    const cutBehind = isDigit(claim.at(-1)) && isDigit(source[at + claim.length])
    if (!cutBefore && !cutBehind) return true
  }
  return false
}

/** Tells whether a line says nothing but what the source does, as far as that can be checked. */
export interface Grounding {
  /** Paths, ids, numbers, code letter for letter; names and quoted words whatever their case. */
  readonly line: (line: string) => boolean
  /** The same for a line about an agent, which begins with its name. */
  readonly agent: (line: string) => boolean
}

export const groundingIn = (source: string): Grounding => {
  let lowered: string | undefined
  let known: ReadonlySet<string> | undefined
  const small = () => {
    lowered ??= source.toLowerCase().replace(/\s+/g, " ")
    return lowered
  }
  const isWord = (part: string): boolean => {
    known ??= new Set(small().match(word))
    return roles.has(part) || known.has(part)
  }
  const isKnown = (name: string): boolean => (name.toLowerCase().match(word) ?? []).every(isWord)
  const line = (text: string): boolean =>
    [...matches(text, claims), ...matches(text, digits)].every((claim) => holds(source, bare(claim))) &&
    matches(text, quoted).every((words) => small().includes(words.toLowerCase().replace(/[.,;:!?]$/, ""))) &&
    matches(text, named).every(isKnown)
  return { line, agent: (text) => line(text) && isKnown(agentNamed.exec(text)?.[1] ?? "") }
}

/** True when everything in the line that can be checked stands in the source. */
export const isGrounded = (line: string, source: string): boolean => groundingIn(source).line(line)

const sections: ReadonlyArray<readonly [keyof WrittenSummary, string, number]> = [
  ["intents", "User wanted", 100],
  ["constraints", "Constraint", 99],
  ["decisions", "Decided", 90],
  ["agents", "- Agent", 92],
  ["outcomes", "- Outcome", 80],
  ["openQuestions", "- Open", 60]
]

/** The summary's lines that are grounded in the source; what is not is dropped. */
export const groundedFacts = (written: WrittenSummary, source: string, lineChars: number): ReadonlyArray<Fact> => {
  const grounding = groundingIn(source)
  return sections.flatMap(([field, label, weight]) => {
    const isTrue = field === "agents" ? grounding.agent : grounding.line
    return written[field]
      .map(oneLine)
      .filter((line) => line.length > 0 && isTrue(line))
      .map((line): Fact => ({ seq: 0, text: `${label}: ${clip(line, lineChars)}`, weight }))
  })
}

const claimsOf = (text: string): ReadonlySet<string> => new Set((text.match(claims) ?? []).map(bare))

/** Dear facts of the extraction whose ids, numbers or paths the model left out: they are added back. */
export const dropped = (
  extracted: ReadonlyArray<Fact>,
  written: ReadonlyArray<Fact>,
  least: number
): ReadonlyArray<Fact> => {
  const said = written.map((fact) => fact.text).join("\n")
  return extracted.filter((fact) => {
    if (fact.weight < least) return false
    const own = Array.from(claimsOf(fact.text))
    return own.length === 0 ? fact.weight >= 97 : own.some((claim) => !said.includes(claim))
  })
}
