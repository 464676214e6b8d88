/**
 * How much a line is worth remembering, by what stands in it. The weights order lines of one kind against each other;
 * they were set by hand from what people ask about later (ids, counts, decisions), not fitted to transcripts.
 */

const decision =
  /\b(decid\w*|cho(?:se|sen|ice)|go(?:ing)? with|instead of|root cause|because|the (?:issue|problem|cause|fix|reason) (?:is|was)|turns out|confirmed|key finding|must(?: not)?|never|always|don'?t|do not|only|should(?: not)?|agreed|approved|rejected|prefer\w*|plan(?:ned)? (?:is|to)|rule)\b/i
const done =
  /\b(done|committed|created|pushed|merged|opened|fixed|added|removed|deleted|renamed|moved|updated|implemented|switched|published|released|deployed|installed|all [\w\s]{0,20}pass\w*|passes|passed|launched|finished|completed|resolved)\b/i
const failure =
  /\b(error|errors|failed|failure|fatal|exception|traceback|panic(?:ked)?|denied|refused|not found|cannot|can'?t|unable|undefined|invalid|timed? ?out|conflict|missing|E[A-Z]{4,}|TS\d{4}|exit code [1-9]\d*)\b/i
/** Characters without which a pattern cannot match: one look at a line tells most patterns apart from it. */
const digit = 1
const slash = 2
const colon = 4
const hashSign = 8
const backtick = 16
const star = 32
const quote = 64
const at = 128

const marks: ReadonlyArray<readonly [string, number]> = [
  ["0123456789", digit],
  ["/", slash],
  [":=", colon],
  ["#", hashSign],
  ["`", backtick],
  ["*", star],
  ['"“', quote],
  ["@", at]
]

const markOf = new Uint8Array(0x2020)
for (const [chars, mark] of marks) for (const char of chars) markOf[char.charCodeAt(0)] = mark

const marksIn = (line: string): number => {
  let found = 0
  for (let i = 0; i < line.length; i++) found |= markOf[line.charCodeAt(i)] ?? 0
  return found
}

/** Pattern, what it is worth, and the marks it needs. */
const identifiers: ReadonlyArray<readonly [RegExp, number, number]> = [
  [/\bhttps?:\/\/[^\s)"'<>\]]+/, 6, slash | colon],
  [/(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b/, 6, digit],
  [/\b(?:feat|feature|fix|bugfix|hotfix|chore|docs|refactor|release|test|ci)\/[\w.-]+/, 6, slash],
  [/\/(?:pull|issues|merge_requests|commit|releases|runs)\/[\w-]+/, 4, slash],
  [/\b\w*[iI][dD]s?["']?\s*[:=]\s*["']?[\w-]+/, 6, colon],
  [/\b[\w@.-]+@v?\d+\.\d+[\w.-]*/, 5, at | digit],
  [/(?:^|[\s`'"(])[\w.-]+(?:\/[\w.@-]+)+/, 2, slash],
  [/(?:^|[\s(])#\d+\b/, 4, hashSign | digit],
  [/\bv?\d+\.\d+\.\d+\b/, 3, digit],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/, 5, digit],
  [/`[^`\n]{2,80}`/, 3, backtick],
  [/\*\*[^*\n]{2,80}\*\*/, 3, star],
  [/\b\d+ (?:tests?|passed|failed|errors?|warnings?|files?|issues?|commits?|insertions?|usages?|matches)\b/i, 5, digit],
  [/["“][^"”\n]{3,60}["”]/, 1, quote],
  [/\b\d{2,}\b/, 1, digit]
]

/** Lines that are listings of source text or tool chatter: they are on disk, not worth a summary's room. */
const listing = /^\s*(?:\d+\s*[→|\t:]|[-+@]{1,3}\s|[\w./\\-]+[:-]\d+[:-])|^\s*[{}[\]();,]*\s*$/
const chatter =
  /^(?:let me|now let me|now i(?:'ll| will)|i'll (?:now )?(?:check|look|read|start|search|find|see|take|continue)|let's (?:check|look|see)|looking|checking|reading|ok(?:ay)?[,.]|perfect[.!]?$|great[.!]?$|good[.!]?$|the file .* has been updated|file created successfully|todos have been modified)/i

export const isFailure = (line: string): boolean => failure.test(line)
export const isListing = (line: string): boolean => listing.test(line)
export const isChatter = (line: string): boolean => chatter.test(line)

/** 0 for a line without anything to hold on to, about 20 for one full of ids and outcomes. */
export const salience = (line: string): number => {
  let score = 0
  const has = marksIn(line)
  for (const [pattern, weight, needs] of identifiers) {
    if ((has & needs) === needs && pattern.test(line)) score += weight
  }
  if (decision.test(line)) score += 4
  if (done.test(line)) score += 3
  if (failure.test(line)) score += 3
  if (chatter.test(line)) score -= 4
  return score
}
