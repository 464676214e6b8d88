import { Effect } from "effect"
import { Summarizer } from "../../context/Summarizer.ts"
import { ModelCatalog } from "../../models/ModelCatalog.ts"
import { Settings } from "../../Settings.ts"
import { TokenEstimator } from "../../tokens/TokenEstimator.ts"
import { logFiles, readLog } from "./files.ts"
import { addTotals, noTotals, type Totals } from "./Meter.ts"
import type { Bench, PolicyName } from "./Policy.ts"
import { play } from "./play.ts"
import { parseTranscripts, type SkippedLine, type Transcript } from "./Transcript.ts"

export type ByPolicy = Readonly<Partial<Record<PolicyName, Totals>>>

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
  readonly policies: ReadonlyArray<PolicyName>
  /** The model whose tokenizer and prices count; ORCHESTRATOR_MODEL otherwise. */
  readonly model: string | undefined
  readonly prefixTokens: number
  /** Told before each file. */
  readonly onFile: (done: number, of: number, file: string) => Effect.Effect<void>
}

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

const playAll = Effect.fnUntraced(function* (transcript: Transcript, names: ReadonlyArray<PolicyName>, made: Made) {
  const totals: Partial<Record<PolicyName, Totals>> = {}
  const failures: Partial<Record<PolicyName, string>> = {}
  for (const name of names) {
    const outcome = yield* Effect.result(play(transcript, name, made.bench, made.meter))
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
  const files = yield* logFiles(options.paths)
  const conversations: Array<ConversationResult> = []
  const skippedLines: Array<SkippedLine> = []
  for (const [index, file] of files.entries()) {
    yield* options.onFile(index, files.length, file)
    const { skipped, transcripts } = parseTranscripts(file, yield* readLog(file))
    for (const line of skipped) skippedLines.push(line)
    for (const transcript of transcripts) conversations.push(yield* playAll(transcript, options.policies, made))
    yield* Effect.yieldNow
  }
  yield* options.onFile(files.length, files.length, "")
  const result: ReplayResult = {
    model: made.bench.model,
    policies: sum(conversations, options.policies),
    conversations,
    skippedLines
  }
  return result
})
