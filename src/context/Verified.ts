import type { Fact } from "./Facts.ts"
import { type Grounding, groundingIn, saying } from "./Grounding.ts"
import type { Said } from "./SummarySource.ts"
import type { WrittenSummary } from "./SummaryWriter.ts"
import { oneLine } from "./Text.ts"

interface Section {
  readonly field: keyof WrittenSummary
  readonly label: string
  readonly weight: number
  /** What the lines must be besides grounded; the others are kept as something noted. */
  readonly isOwn?: (grounding: Grounding) => (line: string) => boolean
}

/** A tool's result may claim that the user wants or has decided something: that is not said in the user's name. */
const sections: ReadonlyArray<Section> = [
  { field: "intents", label: "User wanted", weight: 100, isOwn: ({ byUser }) => byUser },
  { field: "constraints", label: "User's constraint", weight: 99, isOwn: ({ byUser }) => byUser },
  { field: "decisions", label: "Decided", weight: 90, isOwn: ({ bySpeakers }) => bySpeakers },
  { field: "agents", label: "- Agent", weight: 92 },
  { field: "outcomes", label: "- Outcome", weight: 80 },
  { field: "openQuestions", label: "- Open", weight: 60 }
]
const noted = { label: "- Noted", weight: 75 }

/** What the lines of a written summary begin with, and what they are worth. */
export const writtenWeights: ReadonlyArray<readonly [string, number]> = [...sections, noted].map(
  ({ label, weight }) => [`${label}: `, weight]
)

/** Short sentences are asked for: what is longer, or more, is no summary, and would only take time to check. */
const longest = 1_000
const most = 100

/** The summary's lines that are grounded in the source; what is not is dropped. */
export const groundedFacts = (written: WrittenSummary, said: Said): ReadonlyArray<Fact> => {
  const grounding = groundingIn(said)
  return sections.flatMap(({ field, isOwn, label, weight }) => {
    const isTrue = field === "agents" ? grounding.agent : grounding.line
    const own = isOwn?.(grounding)
    return written[field]
      .slice(0, most)
      .map(oneLine)
      .filter((line) => line.length > 0 && line.length <= longest && isTrue(line))
      .map((line): Fact => {
        const as = own === undefined || own(line) ? { label, weight } : noted
        return { seq: 0, text: `${as.label}: ${line}`, weight: as.weight }
      })
  })
}

/** Facts of the extraction that the model left out, or said without their ids, numbers or paths. */
export const dropped = (extracted: ReadonlyArray<Fact>, written: ReadonlyArray<Fact>): ReadonlyArray<Fact> => {
  const isSaid = saying(written.map(({ text }) => text))
  return extracted.filter(({ text }) => !isSaid(text))
}
