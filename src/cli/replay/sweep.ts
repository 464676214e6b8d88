import { Effect } from "effect"
import type { SettingsShape } from "../../Settings.ts"
import { eachTranscript } from "./logs.ts"
import { addTotals, noTotals, type Totals } from "./Meter.ts"
import { play, requestPoints } from "./play.ts"
import { needsOf } from "./Recall.ts"
import { makeBench, type ReplayOptions } from "./run.ts"
import type { Transcript } from "./Transcript.ts"

/** Settings that a sweep varies. */
export interface Candidate {
  readonly compactionObjective: "dollars" | "tokens"
  readonly maxContextTokens: number
  readonly recentMessagesFull: number
  readonly summaryLengthWords: number
}

/** What one conversation came to under a trial. */
export interface TrialConversation {
  readonly conversation: string
  readonly inputNanoUsd: number
  readonly recall: number | null
  /** Input dollars against the cheapest trial of this conversation: 1.08 is 8 % above it. */
  readonly againstBest: number
  /** The same against those trials that recall as much of this conversation as the current settings. */
  readonly againstAlike: number
}

/** One set of settings that was tried, and what it came to. */
export interface Trial extends Candidate {
  /** More than the current setting where `recentMessagesFull` needs it. */
  readonly midRangeMessages: number
  readonly totals: Totals
  /** The settings as they are now. */
  readonly current: boolean
  /** The cheapest of those that remember as much as the current settings do. */
  readonly chosen: boolean
  readonly conversations: ReadonlyArray<TrialConversation>
}

const objectives = ["dollars", "tokens"] as const
const ceilings = [25_000, 50_000, 100_000]
const recents = [15, 30]
const words = [100, 200, 300]

/** Recall may be so much lower than with the current settings before it counts as remembering less. */
export const recallTolerance = 0.02

const candidateOf = (settings: Candidate): Candidate => ({
  compactionObjective: settings.compactionObjective,
  maxContextTokens: settings.maxContextTokens,
  recentMessagesFull: settings.recentMessagesFull,
  summaryLengthWords: settings.summaryLengthWords
})

const same = (a: Candidate, b: Candidate): boolean => JSON.stringify(candidateOf(a)) === JSON.stringify(candidateOf(b))

const grid: ReadonlyArray<Candidate> = objectives.flatMap((compactionObjective) =>
  ceilings.flatMap((maxContextTokens) =>
    recents.flatMap((recentMessagesFull) =>
      words.map((summaryLengthWords) => ({
        compactionObjective,
        maxContextTokens,
        recentMessagesFull,
        summaryLengthWords
      }))
    )
  )
)

const candidates = (settings: SettingsShape): ReadonlyArray<Candidate> =>
  grid.some((candidate) => same(candidate, settings)) ? grid : [candidateOf(settings), ...grid]

/** A candidate's own settings, legal together: the middle range ends behind what stays in full. */
const settingsOf = (settings: SettingsShape, candidate: Candidate): SettingsShape => {
  if (same(candidate, settings)) return settings
  const midRangeMessages = Math.max(settings.midRangeMessages, candidate.recentMessagesFull + 20)
  return { ...settings, ...candidate, midRangeMessages }
}

/** What a candidate came to until now; undefined once it could not play a conversation. */
type Run = { readonly candidate: Candidate; conversations: Array<readonly [string, Totals]> | undefined }

type Made = Effect.Success<ReturnType<typeof makeBench>>

const tryAll = Effect.fnUntraced(function* (transcript: Transcript, runs: ReadonlyArray<Run>, made: Made) {
  const needs = needsOf(transcript.messages, requestPoints(transcript.messages))
  const { settings } = made.bench
  for (const run of runs) {
    if (run.conversations === undefined) continue
    const bench = { ...made.bench, settings: settingsOf(settings, run.candidate) }
    const outcome = yield* Effect.result(play(transcript, "sluice", bench, { ...made.meter, needs }))
    if (outcome._tag === "Success") run.conversations.push([transcript.name, outcome.success.totals])
    else run.conversations = undefined
  }
})

/** The cheapest that recalls at least `least`; input dollars first. */
const cheapest = (trials: ReadonlyArray<Trial>, least: number): Trial | undefined =>
  trials.find(({ totals }) => (totals.recall ?? 1) >= least)

/** The recall to be kept: that of the current settings, or the best there is when those could not play every log. */
const recallToKeep = (trials: ReadonlyArray<Trial>): number => {
  const current = trials.find((trial) => trial.current)
  const recalls = (current === undefined ? trials : [current]).map(({ totals }) => totals.recall ?? 1)
  return Math.max(...recalls) - recallTolerance
}

interface Least {
  readonly nanoUsd: number
  readonly alikeNanoUsd: number
}

/** The cheapest trial of each conversation by itself: of all, and of those that recall as much as the current settings. */
const leastOf = (runs: ReadonlyArray<Run>, settings: SettingsShape): ReadonlyMap<string, Least> => {
  const own = runs.find(({ candidate }) => same(candidate, settings))?.conversations ?? []
  const kept = new Map(own.map(([name, { recall }]) => [name, (recall ?? 1) - recallTolerance]))
  const least = new Map<string, Least>()
  for (const [name, { inputNanoUsd, recall }] of runs.flatMap(({ conversations = [] }) => conversations)) {
    const known = least.get(name) ?? { nanoUsd: Number.POSITIVE_INFINITY, alikeNanoUsd: Number.POSITIVE_INFINITY }
    const alike = (recall ?? 1) >= (kept.get(name) ?? 0)
    least.set(name, {
      nanoUsd: Math.min(known.nanoUsd, inputNanoUsd),
      alikeNanoUsd: alike ? Math.min(known.alikeNanoUsd, inputNanoUsd) : known.alikeNanoUsd
    })
  }
  return least
}

const over = (nanoUsd: number, least: number | undefined): number =>
  least === undefined || least === 0 || !Number.isFinite(least) ? 1 : nanoUsd / least

const rank = (runs: ReadonlyArray<Run>, settings: SettingsShape): ReadonlyArray<Trial> => {
  const least = leastOf(runs, settings)
  const trials = runs.flatMap(({ candidate, conversations }): ReadonlyArray<Trial> => {
    if (conversations === undefined) return []
    const all = conversations.map(([conversation, { inputNanoUsd, recall }]) => ({
      conversation,
      inputNanoUsd,
      recall,
      againstBest: over(inputNanoUsd, least.get(conversation)?.nanoUsd),
      againstAlike: over(inputNanoUsd, least.get(conversation)?.alikeNanoUsd)
    }))
    const totals = conversations.reduce((sum, [, one]) => addTotals(sum, one), noTotals)
    const { midRangeMessages } = settingsOf(settings, candidate)
    const current = same(candidate, settings)
    return [{ ...candidate, midRangeMessages, totals, current, chosen: false, conversations: all }]
  })
  // Of trials that cost the same, the current settings come first: nothing is changed for nothing.
  const sorted = trials.sort(
    (a, b) => a.totals.inputNanoUsd - b.totals.inputNanoUsd || Number(b.current) - Number(a.current)
  )
  const chosen = cheapest(sorted, recallToKeep(sorted))
  return sorted.map((trial) => ({ ...trial, chosen: trial === chosen }))
}

/** Replays the logs under many settings; cheapest input first. Trials that could not play every log are left out. */
export const sweep = Effect.fn("sweep")(function* ({
  model,
  onFile,
  paths,
  prefixTokens
}: Omit<ReplayOptions, "policies">) {
  const made = yield* makeBench(model, prefixTokens)
  const { settings } = made.bench
  const runs = candidates(settings).map((candidate): Run => ({ candidate, conversations: [] }))
  yield* eachTranscript(paths, onFile, (transcript) => tryAll(transcript, runs, made))
  return rank(runs, settings)
})
