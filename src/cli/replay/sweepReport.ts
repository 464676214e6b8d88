import { basename } from "node:path"
import { recallTolerance, type Trial } from "./sweep.ts"
import { percent, share, table, usd } from "./text.ts"

const head = ["", "objective", "ceiling", "recent", "words", "input", "reduction", "misses", "recall"]

const markOf = ({ chosen, current }: Trial): string => [chosen ? "→" : "", current ? "now" : ""].join(" ").trim()

const row = (trial: Trial): ReadonlyArray<string> => [
  markOf(trial),
  trial.compactionObjective,
  String(trial.maxContextTokens),
  String(trial.recentMessagesFull),
  String(trial.summaryLengthWords),
  usd(trial.totals.inputNanoUsd),
  percent(trial.totals.reduction),
  String(trial.totals.cacheMisses),
  share(trial.totals.recall)
]

const recallOf = ({ totals }: Trial): number => totals.recall ?? 1

/** Of trials by rising cost, those that recall more than every cheaper one: what each further dollar buys. */
const undominated = (trials: ReadonlyArray<Trial>): ReadonlyArray<Trial> => {
  let best = Number.NEGATIVE_INFINITY
  return trials.filter((trial) => {
    const better = recallOf(trial) > best
    best = Math.max(best, recallOf(trial))
    return better
  })
}

const within = 1.1

const distance = (what: string, conversations: Trial["conversations"], of: "againstBest" | "againstAlike"): string => {
  const worst = conversations.reduce((a, b) => (b[of] > a[of] ? b : a))
  const near = conversations.filter((one) => one[of] <= within).length
  return `  ${what}: ${near} of ${conversations.length} within 10 %, the worst ${worst[of].toFixed(2)} × (${basename(worst.conversation)})`
}

/** How far the current settings are from what would have been cheapest for each conversation by itself. */
const regret = (trials: ReadonlyArray<Trial>): ReadonlyArray<string> => {
  const current = trials.find((trial) => trial.current)
  if (current === undefined) return ["The current settings could not play every log."]
  const { conversations } = current
  if (conversations.length === 0) return []
  return [
    "The current settings against the best trial of each conversation by itself, in input dollars:",
    distance("of those that recall as much", conversations, "againstAlike"),
    distance("of all, whatever they forget", conversations, "againstBest")
  ]
}

const envLines = (trial: Trial, current: Trial | undefined): ReadonlyArray<string> => [
  `COMPACTION_OBJECTIVE=${trial.compactionObjective}`,
  `MAX_CONTEXT_TOKENS=${trial.maxContextTokens}`,
  `RECENT_MESSAGES_FULL=${trial.recentMessagesFull}`,
  ...(current?.midRangeMessages === trial.midRangeMessages ? [] : [`MID_RANGE_MESSAGES=${trial.midRangeMessages}`]),
  `SUMMARY_LENGTH_WORDS=${trial.summaryLengthWords}`
]

/** What recall costs, the distance of the current settings, and the lines for `.env` that make the chosen trial. */
export const sweepReport = (trials: ReadonlyArray<Trial>): string => {
  const chosen = trials.find((trial) => trial.chosen)
  if (chosen === undefined) return "No settings could play every log: raise MAX_CONTEXT_TOKENS."
  const worthwhile = undominated(trials)
  const rows = trials.filter((trial) => worthwhile.includes(trial) || trial.chosen || trial.current)
  const current = trials.find((trial) => trial.current)
  const reference = current === undefined ? "the best trial" : "the current settings"
  return [
    table([head, ...rows.map(row)]),
    "",
    ...regret(trials),
    "",
    `# Cheapest of ${trials.length} trials whose recall is at most ${recallTolerance} below that of ${reference}: ${usd(chosen.totals.inputNanoUsd)} input, recall ${share(chosen.totals.recall)}.`,
    ...envLines(chosen, current)
  ].join("\n")
}
