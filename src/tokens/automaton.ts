/**
 * What a character may cost. A tokenizer without its vocabulary is a guess at where it cuts: most short words, groups of
 * digits and runs of punctuation are one token; what is longer or stranger than usual costs more.
 */
export const features = [
  "word", // first letter of a word
  "longWord", // its letters 5 to 8
  "veryLongWord", // its letters from 9 on
  "part", // first letter of a further part of an identifier: after a letter, a digit or an underscore
  "longPart", // its letters from 5 on
  "capital", // second capital in a row
  "capitals", // each one after it
  "digits", // first of every three digits
  "punctuation", // first of a run of ASCII punctuation or control characters
  "mark", // a second to fourth one
  "marks", // each one after it: mostly rules and separators
  "newline", // first of a run of line ends
  "indent", // second space at the start of a line
  "gap", // second space in a row elsewhere
  "longGap", // each space of a run from the 17th on
  "tab", // first of a run of tabs
  "symbol", // arrows, bullets, box drawing; in tenths
  "foreign" // everything else outside ASCII; in tenths of an ideograph
] as const

export type Feature = (typeof features)[number]

/** Character classes, as column numbers. A joint is an underscore. */
export const Class = {
  lower: 0,
  upper: 1,
  digit: 2,
  space: 3,
  newline: 4,
  tab: 5,
  mark: 6,
  joint: 7,
  other: 8
} as const
type ClassName = keyof typeof Class

type Run =
  | "start"
  | "word"
  | "part"
  | "wordCapital"
  | "partCapital"
  | "capitals"
  | "digit"
  | "space"
  | "indent"
  | "newline"
  | "tab"
  | "mark"
  | "joint"
  | "other"

/** Which run of characters the scan is in, and how far. */
type State = readonly [run: Run, length: number]

const identifiers: ReadonlySet<Run> = new Set([
  "word",
  "part",
  "wordCapital",
  "partCapital",
  "capitals",
  "digit",
  "joint"
])
const lineStarts: ReadonlySet<Run> = new Set(["start", "newline", "indent"])

const further = (state: State, run: Run, most: number): State => [
  run,
  state[0] === run ? Math.min(state[1] + 1, most) : 1
]

const afterLower = ([run, length]: State): State => {
  if (run === "word" || run === "part") return [run, Math.min(length + 1, 9)]
  if (run === "wordCapital") return ["word", 2]
  if (run === "partCapital") return ["part", 2]
  return [identifiers.has(run) ? "part" : "word", 1]
}

const afterUpper = ([run]: State): State => {
  if (run === "wordCapital" || run === "partCapital") return ["capitals", 1]
  if (run === "capitals") return ["capitals", 2]
  return [identifiers.has(run) ? "partCapital" : "wordCapital", 1]
}

const afterMark = ([run, length]: State, to: Run): State => [
  to,
  run === "mark" || run === "joint" ? Math.min(length + 1, 5) : 1
]

const markCost = (length: number): Feature => (length === 1 ? "punctuation" : length < 5 ? "mark" : "marks")

const follow: Readonly<Record<ClassName, (state: State) => State>> = {
  lower: afterLower,
  upper: afterUpper,
  digit: ([run, length]) => ["digit", run === "digit" ? (length % 3) + 1 : 1],
  space: (state) => further(state, lineStarts.has(state[0]) ? "indent" : "space", 17),
  newline: (state) => further(state, "newline", 2),
  tab: (state) => further(state, "tab", 2),
  mark: (state) => afterMark(state, "mark"),
  joint: (state) => afterMark(state, "joint"),
  other: () => ["other", 1]
}

const costs: Readonly<Partial<Record<Run, (length: number) => Feature | undefined>>> = {
  word: (n) => (n === 1 ? "word" : n > 8 ? "veryLongWord" : n > 4 ? "longWord" : undefined),
  part: (n) => (n === 1 ? "part" : n > 4 ? "longPart" : undefined),
  wordCapital: () => "word",
  partCapital: () => "part",
  capitals: (n) => (n === 1 ? "capital" : "capitals"),
  digit: (n) => (n === 1 ? "digits" : undefined),
  space: (n) => (n === 2 ? "gap" : n > 16 ? "longGap" : undefined),
  indent: (n) => (n === 2 ? "indent" : n > 16 ? "longGap" : undefined),
  newline: (n) => (n === 1 ? "newline" : undefined),
  tab: (n) => (n === 1 ? "tab" : undefined),
  mark: markCost,
  joint: markCost
}

/** Rows are states, 16 columns wide; row 0 is the start of a text. */
export interface Automaton {
  /** `next[row + class]` is the next row, that is 16 times its state. */
  readonly next: Uint16Array
  /** What a character costs that leads into a state: an index into `features`, or -1. */
  readonly costOf: ReadonlyArray<number>
}

const compile = (): Automaton => {
  const states: Array<State> = [["start", 0]]
  const ids = new Map([["start0", 0]])
  const next: Array<number> = []
  // The list grows while it is walked, until no new state is reached.
  for (let row = 0; row < states.length; row++) {
    const state = states[row] ?? ["start", 0]
    for (const [name, column] of Object.entries(Class)) {
      // The keys of `Class` are the class names.
      const to = follow[name as ClassName](state)
      const key = to.join("")
      const known = ids.get(key)
      if (known === undefined) {
        ids.set(key, states.length)
        states.push(to)
      }
      next[row * 16 + column] = known ?? states.length - 1
    }
  }
  return {
    next: Uint16Array.from({ length: states.length * 16 }, (_, i) => (next[i] ?? 0) * 16),
    costOf: states.map(([run, length]) => {
      const feature = costs[run]?.(length)
      return feature === undefined ? -1 : features.indexOf(feature)
    })
  }
}

export const automaton = compile()
