import { Effect, FileSystem, Path, type PlatformError, Schema } from "effect"

export class TranscriptError extends Schema.TaggedError<TranscriptError>()("TranscriptError", {
  message: Schema.String
}) {}

/** What the system says about a file, where Effect names only its own method. */
export const because = ({ message, reason }: PlatformError.PlatformError): string =>
  reason.cause instanceof Error ? reason.cause.message : message

const isLog = (file: string): boolean => file.endsWith(".jsonl")

/** Every `.jsonl` file below a folder, sorted; folders of that name and links that lead nowhere are none. */
const logsBelow = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const below = yield* fs
    .readDirectory(folder, { recursive: true })
    .pipe(
      Effect.mapError((error) => new TranscriptError({ message: `${folder} cannot be listed: ${because(error)}.` }))
    )
  const named = below
    .filter(isLog)
    .sort()
    .map((file) => join(folder, file))
  return yield* Effect.filter(named, (file) =>
    fs.stat(file).pipe(
      Effect.map(({ type }) => type === "File"),
      Effect.orElseSucceed(() => false)
    )
  )
})

/** The logs that paths name: a file itself, or what is below a folder. A file that is reached twice is one log. */
export const logFiles = Effect.fn("logFiles")(function* (paths: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const files = new Map<string, string>()
  for (const path of paths) {
    const { type } = yield* fs
      .stat(path)
      .pipe(Effect.mapError(() => new TranscriptError({ message: `${path} does not exist or cannot be read.` })))
    for (const file of type === "Directory" ? yield* logsBelow(path) : [path]) {
      const real = yield* Effect.orElseSucceed(fs.realPath(file), () => file)
      if (!files.has(real)) files.set(real, file)
    }
  }
  if (files.size === 0) {
    return yield* new TranscriptError({ message: `No .jsonl transcripts in ${paths.join(", ")}.` })
  }
  return [...files.values()]
})

const named = 10

/** The one log that a path names. */
export const onlyLog = Effect.fn("onlyLog")(function* (path: string) {
  const files = yield* logFiles([path])
  const [file] = files
  if (file !== undefined && files.length === 1) return file
  const { relative } = yield* Path.Path
  const more = files.length > named ? ` and ${files.length - named} more` : ""
  return yield* new TranscriptError({
    message: `${path} holds ${files.length} transcripts: ${files
      .slice(0, named)
      .map((log) => relative(path, log))
      .join(", ")}${more}. Name one of them.`
  })
})

export const readLog = Effect.fn("readLog")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs
    .readFileString(file)
    .pipe(Effect.mapError((error) => new TranscriptError({ message: `${file} cannot be read: ${because(error)}.` })))
})
