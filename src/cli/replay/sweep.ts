import { Effect } from "effect"
import { Settings, type SettingsShape } from "../../Settings.ts"
import type { Totals } from "./Meter.ts"
import { type ReplayOptions, replay } from "./run.ts"

/** One set of settings that was tried, and what it came to. */
export interface Trial {
  readonly maxContextTokens: number
  readonly recentMessagesFull: number
  readonly summaryLengthWords: number
  readonly totals: Totals
}

const ceilings = [25_000, 50_000, 100_000]
const recents = [15, 30]
const words = [100, 200, 300]

const grid = (settings: SettingsShape): ReadonlyArray<Omit<Trial, "totals">> => {
  const all = ceilings.flatMap((maxContextTokens) =>
    recents.flatMap((recentMessagesFull) =>
      words.map((summaryLengthWords) => ({ maxContextTokens, recentMessagesFull, summaryLengthWords }))
    )
  )
  const own = {
    maxContextTokens: settings.maxContextTokens,
    recentMessagesFull: settings.recentMessagesFull,
    summaryLengthWords: settings.summaryLengthWords
  }
  const same = (a: Omit<Trial, "totals">) => JSON.stringify(a) === JSON.stringify(own)
  return all.some(same) ? all : [own, ...all]
}

/** Replays the logs under many settings; cheapest input first. Trials that could not play every log are left out. */
export const sweep = Effect.fn("sweep")(function* (
  options: Omit<ReplayOptions, "policies" | "onFile">,
  onTrial: ReplayOptions["onFile"]
) {
  const settings = yield* Settings
  const candidates = grid(settings)
  const trials: Array<Trial> = []
  for (const [index, candidate] of candidates.entries()) {
    yield* onTrial(index, candidates.length, `MAX_CONTEXT_TOKENS=${candidate.maxContextTokens}`)
    const result = yield* replay({ ...options, policies: ["sluice"], onFile: () => Effect.void }).pipe(
      Effect.provideService(Settings, {
        ...settings,
        ...candidate,
        midRangeMessages: Math.max(settings.midRangeMessages, candidate.recentMessagesFull + 20)
      })
    )
    const totals = result.policies.sluice
    const whole = result.conversations.every(({ failures }) => failures === undefined)
    if (totals !== undefined && whole) trials.push({ ...candidate, totals })
  }
  yield* onTrial(candidates.length, candidates.length, "")
  return trials.sort((a, b) => a.totals.inputNanoUsd - b.totals.inputNanoUsd)
})

const shown = 8

const line = ({ maxContextTokens, recentMessagesFull, summaryLengthWords, totals }: Trial): string =>
  [
    String(maxContextTokens).padStart(8),
    String(recentMessagesFull).padStart(7),
    String(summaryLengthWords).padStart(6),
    `$${(totals.inputNanoUsd / 1e9).toFixed(2)}`.padStart(9),
    `${(100 * totals.reduction).toFixed(1)} %`.padStart(10)
  ].join(" ")

/** The best trials, and the lines for `.env` that make the best one. */
export const sweepReport = (trials: ReadonlyArray<Trial>): string => {
  const [best] = trials
  if (best === undefined) return "No settings could play every log: raise MAX_CONTEXT_TOKENS."
  return [
    " ceiling  recent  words     input  reduction",
    ...trials.slice(0, shown).map(line),
    "",
    "# Cheapest for these transcripts. A smaller context remembers less: look at `sluice context` before you choose it.",
    `MAX_CONTEXT_TOKENS=${best.maxContextTokens}`,
    `RECENT_MESSAGES_FULL=${best.recentMessagesFull}`,
    `SUMMARY_LENGTH_WORDS=${best.summaryLengthWords}`
  ].join("\n")
}
