import type { Fact } from "./Facts.ts"
import type { WrittenSummary } from "./SummaryWriter.ts"
import { clip, oneLine } from "./Text.ts"

/** What can be checked letter for letter: URLs, paths, hashes, numbers of two digits on, identifiers, quoted code. */
const claims =
  /https?:\/\/[^\s)"'`]+|`[^`]+`|[\w@.-]+(?:\/[\w@.-]+)+|\b[\w-]*\d[\w.-]*\d[\w.-]*\b|\b\d{2,}\b|\b[a-z]+[A-Z]\w+\b|\b\w+_\w+\b/g

const bare = (claim: string): string => claim.replace(/^[`.]+|[`.,;:]+$/g, "")

/** True when everything in the line that can be checked stands in the source. */
export const isGrounded = (line: string, source: string): boolean =>
  (line.match(claims) ?? []).every((claim) => source.includes(bare(claim)))

const sections: ReadonlyArray<readonly [keyof WrittenSummary, string, number]> = [
  ["intents", "User wanted", 100],
  ["constraints", "Constraint", 99],
  ["decisions", "Decided", 90],
  ["agents", "- Agent", 92],
  ["outcomes", "- Outcome", 80],
  ["openQuestions", "- Open", 60]
]

/** The summary's lines that are grounded in the source; what is not is dropped. */
export const groundedFacts = (written: WrittenSummary, source: string, lineChars: number): ReadonlyArray<Fact> =>
  sections.flatMap(([field, label, weight]) =>
    written[field]
      .map(oneLine)
      .filter((line) => line.length > 0 && isGrounded(line, source))
      .map((line): Fact => ({ seq: 0, text: `${label}: ${clip(line, lineChars)}`, weight }))
  )

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
