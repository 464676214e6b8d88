/**
 * What a character may cost. A tokenizer without its vocabulary is a guess at where it cuts: most short words, groups of
 * digits and runs of punctuation are one token; what is longer or stranger than usual costs more.
 */
export const features = [
  "word", // first letter of a word
  "longWord", // its letters 5 to 8
  "veryLongWord", // its letters 9 to 20
  "part", // first letter of a further part of an identifier: after a letter, a digit or an underscore
  "longPart", // its letters 5 to 20
  "capital", // second capital in a row
  "capitals", // third to twentieth
  "endless", // letters from the 21st on, of any of these: keys, hashes, what is no word
  "digits", // first of every three digits
  "punctuation", // first of a run of ASCII punctuation or control characters
  "mark", // a second to fourth one
  "marks", // fifth to sixteenth
  "rule", // each one after it
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
  if (run === "word" || run === "part") return [run, Math.min(length + 1, 21)]
  if (run === "wordCapital") return ["word", 2]
  if (run === "partCapital") return ["part", 2]
  return [identifiers.has(run) ? "part" : "word", 1]
}

const afterUpper = ([run, length]: State): State => {
  if (run === "wordCapital" || run === "partCapital") return ["capitals", 2]
  if (run === "capitals") return ["capitals", Math.min(length + 1, 21)]
  return [identifiers.has(run) ? "partCapital" : "wordCapital", 1]
}

const afterMark = ([run, length]: State, to: Run): State => [
  to,
  run === "mark" || run === "joint" ? Math.min(length + 1, 17) : 1
]

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

/** What lengths of a run cost, as [first length, feature] in falling order; shorter ones cost nothing. */
type Steps = ReadonlyArray<readonly [from: number, feature: Feature | undefined]>

const mark: Steps = [
  [17, "rule"],
  [5, "marks"],
  [2, "mark"],
  [1, "punctuation"]
]

const costs: Readonly<Record<Run, Steps>> = {
  start: [],
  word: [
    [21, "endless"],
    [9, "veryLongWord"],
    [5, "longWord"],
    [2, undefined],
    [1, "word"]
  ],
  part: [
    [21, "endless"],
    [5, "longPart"],
    [2, undefined],
    [1, "part"]
  ],
  wordCapital: [[1, "word"]],
  partCapital: [[1, "part"]],
  capitals: [
    [21, "endless"],
    [3, "capitals"],
    [2, "capital"]
  ],
  digit: [
    [2, undefined],
    [1, "digits"]
  ],
  space: [
    [17, "longGap"],
    [3, undefined],
    [2, "gap"]
  ],
  indent: [
    [17, "longGap"],
    [3, undefined],
    [2, "indent"]
  ],
  newline: [
    [2, undefined],
    [1, "newline"]
  ],
  tab: [
    [2, undefined],
    [1, "tab"]
  ],
  mark,
  joint: mark,
  other: []
}

const costOf = ([run, length]: State): number => {
  const feature = costs[run].find(([from]) => length >= from)?.[1]
  return feature === undefined ? -1 : features.indexOf(feature)
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
    costOf: states.map(costOf)
  }
}

export const automaton = compile()
