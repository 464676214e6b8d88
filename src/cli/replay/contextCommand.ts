import { Effect, FileSystem, Option } from "effect"
import { decide } from "../../context/CompactionPolicy.ts"
import type { PreparedContext } from "../../context/PreparedContext.ts"
import { print } from "../print.ts"
import { onlyLog, readLog, TranscriptError } from "./files.ts"
import { layer } from "./layer.ts"
import { playWith, requestPoints } from "./play.ts"
import { sluiceWith } from "./policies.ts"
import { makeBench } from "./run.ts"
import { parseTranscripts, type Transcript } from "./Transcript.ts"
import { counted } from "./text.ts"

export interface ContextArguments {
  readonly path: string
  readonly at: Option.Option<number>
  readonly model: Option.Option<string>
  readonly prefixTokens: number
  readonly json: boolean
  /** The decision and the bands instead of the messages. */
  readonly explain: boolean
}

/** What `replay` sends for the last request that holds no more than `at` messages; compactions happen on the way to it. */
export const contextAt = Effect.fnUntraced(function* (
  transcript: Transcript,
  at: number,
  model?: string,
  prefixTokens = 0
) {
  const { bench, meter } = yield* makeBench(model, prefixTokens)
  const { messages } = transcript
  let prepared: PreparedContext | undefined
  const policy = sluiceWith(decide, (last) => {
    prepared = last
  })
  const points = requestPoints(messages).filter((point) => point <= at)
  // A history that ends with the user is about to be sent, too.
  const waiting = messages[at - 1]?.role === "user" && points.at(-1) !== at ? [at] : []
  yield* playWith(transcript, policy, bench, { ...meter, points: [...points, ...waiting] })
  if (prepared === undefined) {
    return yield* new TranscriptError({ message: `${transcript.name} holds no request up to message ${at}.` })
  }
  return prepared
})

/** The JSON form: what would be sent, and what it is made of. */
export const contextJson = (prepared: PreparedContext) => ({
  messages: prepared.messages,
  estimatedTokens: prepared.estimatedTokens,
  upperBound: prepared.upperBound,
  rawMessages: prepared.rawMessages,
  rawTokens: prepared.rawTokens,
  segments: prepared.entries
    .filter((entry) => entry.segment)
    .map(({ band, from, to, tokens }) => ({ band, from, to, tokens })),
  breakpoints: prepared.breakpoints,
  decision: prepared.decision
})

const contextText = (prepared: PreparedContext): string =>
  [
    ...prepared.messages.map(({ content, role }) => {
      const body =
        typeof content === "string"
          ? content
          : content.map((b) => (b.type === "text" ? b.text : JSON.stringify(b))).join("\n")
      return `── ${role}\n${body}`
    }),
    "",
    `${prepared.rawMessages} messages, ${prepared.rawTokens} tokens → ${prepared.messages.length} messages, about ${prepared.estimatedTokens} tokens (at most ${prepared.upperBound})`
  ].join("\n")

/** Why the context is what it is: the policy's decision, what it expects to save, the bands. */
export const explanation = ({ breakpoints, decision, entries }: PreparedContext) => ({
  decision,
  bands: (["old", "mid", "recent"] as const).map((band) => {
    const own = entries.filter((entry) => entry.band === band)
    return {
      band,
      entries: own.length,
      from: own[0]?.from ?? null,
      to: own.at(-1)?.to ?? null,
      tokens: own.reduce((sum, { tokens }) => sum + tokens, 0)
    }
  }),
  breakpoints
})

type Explanation = ReturnType<typeof explanation>

const bandLine = ({ band, entries, from, to, tokens }: Explanation["bands"][number]): string =>
  from === null || to === null
    ? `${band}: nothing`
    : `${band}: ${counted(entries, "entry", "entries")} for messages ${from}–${to - 1}, ${tokens} tokens`

const explanationText = ({ bands, breakpoints, decision }: Explanation): string => {
  const { compact, reason, savesNanoUsd } = decision
  const saves = `${savesNanoUsd < 0 ? "costs" : "saves"} about $${(Math.abs(savesNanoUsd) / 1e9).toFixed(4)}`
  return [
    compact
      ? `Compacted: ${reason}. Expected over the rest of the conversation: ${saves}.`
      : `Kept: ${reason}. Compacting now, over the rest of the conversation: ${saves}.`,
    ...bands.map(bandLine),
    `breakpoints: ${breakpoints.join(", ")}`
  ].join("\n")
}

const printed = (prepared: PreparedContext, { explain, json }: ContextArguments): string => {
  if (!explain) return json ? JSON.stringify(contextJson(prepared)) : contextText(prepared)
  const why = explanation(prepared)
  return json ? JSON.stringify(why) : explanationText(why)
}

/** The transcript of a path: the log's first, or behind `#` the sub-agent's, as `replay` prints their names. */
const transcriptOf = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const [, log, agent] = /^(.+)(#agent-.+)$/.exec(path) ?? []
  const isPlain = log === undefined || (yield* Effect.orElseSucceed(fs.exists(path), () => false))
  const file = yield* onlyLog(isPlain ? path : log)
  const { transcripts } = parseTranscripts(file, yield* readLog(file))
  const found = isPlain ? transcripts[0] : transcripts.find(({ name }) => name === `${file}${agent}`)
  if (found !== undefined) return found
  const names = transcripts.map(({ name }) => name).join(", ")
  return yield* new TranscriptError({
    message: names === "" ? `${file} holds no messages.` : `There is no ${path}, but ${names}.`
  })
})

/** `sluice context`: prints the prepared context at a message of a log. */
export const run = (flags: ContextArguments) =>
  Effect.gen(function* () {
    const { at, model, path, prefixTokens } = flags
    const transcript = yield* transcriptOf(path)
    const end = Option.getOrElse(at, () => transcript.messages.length)
    if (end < 1 || end > transcript.messages.length) {
      return yield* new TranscriptError({
        message: `--at ${end} is not a number of messages: ${transcript.name} holds ${transcript.messages.length}, so --at takes 1 to ${transcript.messages.length}.`
      })
    }
    const prepared = yield* contextAt(transcript, end, Option.getOrUndefined(model), prefixTokens)
    yield* print(printed(prepared, flags))
  }).pipe(Effect.provide(layer))
