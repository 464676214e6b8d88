import { Effect } from "effect"
import { Summarizer } from "../../context/Summarizer.ts"
import { ModelCatalog } from "../../models/ModelCatalog.ts"
import { Settings } from "../../Settings.ts"
import { TokenEstimator } from "../../tokens/TokenEstimator.ts"
import { eachTranscript, type OnStep } from "./logs.ts"
import { addTotals, noTotals, type Totals } from "./Meter.ts"
import { type Bench, compared, type PolicyName, policyNames } from "./Policy.ts"
import { type Played, play, requestPoints } from "./play.ts"
import { needsOf } from "./Recall.ts"
import type { SkippedLine, Transcript } from "./Transcript.ts"

export type ByPolicy = Readonly<Partial<Record<PolicyName, Totals>>>

/** What was played, in the order in which policies are shown. */
export const named = (policies: ByPolicy): ReadonlyArray<readonly [PolicyName, Totals]> =>
  policyNames.flatMap((name) => {
    const totals = policies[name]
    return totals === undefined ? [] : [[name, totals] as const]
  })

export interface ConversationResult {
  readonly conversation: string
  readonly messages: number
  readonly policies: ByPolicy
  /** Why a policy could not play it to the end, by policy. */
  readonly failures?: Readonly<Partial<Record<PolicyName, string>>>
}

export interface ReplayResult {
  readonly model: string
  readonly policies: ByPolicy
  readonly conversations: ReadonlyArray<ConversationResult>
  readonly skippedLines: ReadonlyArray<SkippedLine>
}

export interface ReplayOptions {
  readonly paths: ReadonlyArray<string>
  readonly policies: PolicyChoice
  /** The model whose tokenizer and prices count; ORCHESTRATOR_MODEL otherwise. */
  readonly model: string | undefined
  readonly prefixTokens: number
  readonly onFile: OnStep
  /** Told of each request of a conversation under a policy. */
  readonly record?: Recorder
}

/** Some policies, or `all`: one of each kind, and Sluice under both objectives. */
export type PolicyChoice = ReadonlyArray<PolicyName> | "all"

export type Recorder = (transcript: Transcript, policy: PolicyName) => (played: Played) => void

/** What the policies need, for one model. */
export const makeBench = Effect.fnUntraced(function* (model: string | undefined, prefixTokens: number) {
  const settings = yield* Settings
  const catalog = yield* ModelCatalog
  const chosen = yield* catalog.resolve(model ?? settings.orchestratorModel)
  const bench: Bench = {
    settings,
    catalog,
    estimator: yield* TokenEstimator,
    summarizer: yield* Summarizer,
    model: chosen.id,
    prefixTokens
  }
  return { bench, meter: { catalog, model: chosen, prefixTokens } }
})

type Made = Effect.Success<ReturnType<typeof makeBench>>

const playAll = Effect.fnUntraced(function* (
  transcript: Transcript,
  names: ReadonlyArray<PolicyName>,
  made: Made,
  record: Recorder = () => () => undefined
) {
  const totals: Partial<Record<PolicyName, Totals>> = {}
  const failures: Partial<Record<PolicyName, string>> = {}
  const needs = needsOf(transcript.messages, requestPoints(transcript.messages))
  for (const name of names) {
    const options = { ...made.meter, needs, onRequest: record(transcript, name) }
    const outcome = yield* Effect.result(play(transcript, name, made.bench, options))
    if (outcome._tag === "Success") totals[name] = outcome.success.totals
    else failures[name] = outcome.failure.message
  }
  const result: ConversationResult = {
    conversation: transcript.name,
    messages: transcript.messages.length,
    policies: totals,
    ...(Object.keys(failures).length > 0 ? { failures } : {})
  }
  return result
})

const sum = (results: ReadonlyArray<ConversationResult>, names: ReadonlyArray<PolicyName>): ByPolicy =>
  Object.fromEntries(
    names.map((name) => [
      name,
      results.reduce((all, { policies }) => addTotals(all, policies[name] ?? noTotals), noTotals)
    ])
  )

/** Replays every log under every policy asked for. One file is in memory at a time. */
export const replay = Effect.fn("replay")(function* (options: ReplayOptions) {
  const made = yield* makeBench(options.model, options.prefixTokens)
  const names = options.policies === "all" ? compared(made.bench.settings) : options.policies
  const conversations: Array<ConversationResult> = []
  const skippedLines = yield* eachTranscript(options.paths, options.onFile, (transcript) =>
    Effect.map(playAll(transcript, names, made, options.record), (result) => void conversations.push(result))
  )
  const result: ReplayResult = {
    model: made.bench.model,
    policies: sum(conversations, names),
    conversations,
    skippedLines
  }
  return result
})
