import {
  at,
  backtick,
  colon,
  digit,
  hashSign,
  idLetters,
  longHex,
  marksIn,
  quote,
  slash,
  star,
  wordsOf
} from "./Marks.ts"

/**
 * How much a line is worth remembering, by what stands in it. The weights order lines of one kind against each other;
 * they were set by hand from what people ask about later (ids, counts, decisions), not fitted to transcripts.
 */

const decision = wordsOf(0, [
  String.raw`decid\w*|cho(?:se|sen|ice)|confirmed|agreed|approved|rejected|prefer\w*|plan(?:ned)? (?:is|to)|key finding`,
  "go(?:ing)? with|instead of|root cause|because|the (?:issue|problem|cause|fix|reason) (?:is|was)|turns out",
  "must(?: not)?|never|always|don'?t|do not|only|should(?: not)?|rule"
])
const done = wordsOf(1, [
  "done|committed|created|pushed|merged|opened|fixed|added|removed|deleted|renamed|moved|updated|implemented|switched",
  String.raw`published|released|deployed|installed|all [\w\s]{0,20}pass\w*|passes|passed|launched|finished|completed|resolved`
])
const failure = wordsOf(2, [
  "error|errors|failed|failure|fatal|exception|traceback|panic(?:ked)?|denied|refused|not found|cannot|can'?t|unable",
  String.raw`undefined|invalid|timed? ?out|conflict|missing|E[A-Z]{4,}|TS\d{4}|exit code [1-9]\d*`
])

interface Identifier {
  readonly pattern: RegExp
  readonly worth: number
  /** The marks without which it cannot match. */
  readonly needs: number
}

const identifiers: ReadonlyArray<Identifier> = (
  [
    [/\bhttps?:\/\/[^\s)"'<>\]]+/, 6, slash | colon],
    [/(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b/, 6, digit | longHex],
    [/\b(?:feat|feature|fix|bugfix|hotfix|chore|docs|refactor|release|test|ci)\/[\w.-]+/, 6, slash],
    [/\/(?:pull|issues|merge_requests|commit|releases|runs)\/[\w-]+/, 4, slash],
    [/\b\w*[iI][dD]s?["']?\s*[:=]\s*["']?[\w-]+/, 6, colon | idLetters],
    [/\b[\w@.-]+@v?\d+\.\d+[\w.-]*/, 5, at | digit],
    [/(?:^|[\s`'"(])[\w.-]+(?:\/[\w.@-]+)+/, 2, slash],
    [/(?:^|[\s(])#\d+\b/, 4, hashSign | digit],
    [/\bv?\d+\.\d+\.\d+\b/, 3, digit],
    [/\b\d{1,3}(?:\.\d{1,3}){3}\b/, 5, digit],
    [/`[^`\n]{2,80}`/, 3, backtick],
    [/\*\*[^*\n]{2,80}\*\*/, 3, star],
    [
      /\b\d+ (?:tests?|passed|failed|errors?|warnings?|files?|issues?|commits?|insertions?|usages?|matches)\b/i,
      5,
      digit
    ],
    [/["“][^"”\n]{3,60}["”]/, 1, quote],
    [/\b\d{2,}\b/, 1, digit]
  ] as const
).map(([pattern, worth, needs]) => ({ pattern, worth, needs }))

/** Lines that are listings of source text or tool chatter: they are on disk, not worth a summary's room. */
const listing = /^\s*(?:\d+\s*[→|\t:]|[-+@]{1,3}\s|[\w./\\-]+[:-]\d+[:-])|^\s*[{}[\]();,]*\s*$/
const chatter =
  /^(?:let me|now let me|now i(?:'ll| will)|i'll (?:now )?(?:check|look|read|start|search|find|see|take|continue)|let's (?:check|look|see)|looking|checking|reading|ok(?:ay)?[,.]|perfect[.!]?$|great[.!]?$|good[.!]?$|the file .* has been updated|file created successfully|todos have been modified)/i

/** `marks` are those of the line, for who has them already. */
export const isFailure = (line: string, marks: number = marksIn(line)): boolean =>
  (marks & failure.bit) !== 0 && failure.pattern.test(line)
export const isListing = (line: string): boolean => listing.test(line)
export const isChatter = (line: string): boolean => chatter.test(line)

/** 0 for a line without anything to hold on to, about 20 for one full of ids and outcomes. */
export const salience = (line: string, marks: number = marksIn(line)): number => {
  let score = 0
  for (const { needs, pattern, worth } of identifiers) {
    if ((marks & needs) === needs && pattern.test(line)) score += worth
  }
  if ((marks & decision.bit) !== 0 && decision.pattern.test(line)) score += 4
  if ((marks & done.bit) !== 0 && done.pattern.test(line)) score += 3
  if (isFailure(line, marks)) score += 3
  if (chatter.test(line)) score -= 4
  return score
}
