import { Effect } from "effect"
import { logFiles, readLog, TranscriptError } from "./files.ts"
import { parseTranscripts, type SkippedLine, type Transcript } from "./Transcript.ts"

/** Told before each step of a long run, and once at its end. */
export type OnStep = (done: number, of: number, what: string) => Effect.Effect<void>

const nothing = (paths: ReadonlyArray<string>, skipped: ReadonlyArray<SkippedLine>): TranscriptError => {
  const [first] = skipped
  const why = first === undefined ? "" : ` (${first.file}:${first.line}: ${first.reason})`
  return new TranscriptError({ message: `No messages in ${paths.join(", ")}${why}.` })
}

/** Visits every transcript of the logs in order; one file is in memory at a time. Answers the lines that were skipped. */
export const eachTranscript = Effect.fnUntraced(function* <E, R>(
  paths: ReadonlyArray<string>,
  onFile: OnStep,
  visit: (transcript: Transcript) => Effect.Effect<void, E, R>
) {
  const files = yield* logFiles(paths)
  const skippedLines: Array<SkippedLine> = []
  let visited = 0
  for (const [index, file] of files.entries()) {
    yield* onFile(index, files.length, file)
    const { skipped, transcripts } = parseTranscripts(file, yield* readLog(file))
    for (const line of skipped) skippedLines.push(line)
    for (const transcript of transcripts) yield* visit(transcript)
    visited += transcripts.length
    yield* Effect.yieldNow
  }
  yield* onFile(files.length, files.length, "")
  if (visited === 0) return yield* nothing(paths, skippedLines)
  return skippedLines
})
