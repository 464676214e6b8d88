import { Effect, FileSystem, Path, Schema } from "effect"

export class TranscriptError extends Schema.TaggedError<TranscriptError>()("TranscriptError", {
  message: Schema.String
}) {}

const isLog = (file: string): boolean => file.endsWith(".jsonl")

/** The logs a path names: the file itself, or every `.jsonl` below a folder, sorted. */
export const logFiles = Effect.fn("logFiles")(function* (paths: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const files: Array<string> = []
  for (const path of paths) {
    const info = yield* fs
      .stat(path)
      .pipe(Effect.mapError(() => new TranscriptError({ message: `${path} does not exist or cannot be read.` })))
    if (info.type !== "Directory") files.push(path)
    else {
      const below = yield* fs
        .readDirectory(path, { recursive: true })
        .pipe(
          Effect.mapError((error) => new TranscriptError({ message: `${path} cannot be listed: ${error.message}` }))
        )
      files.push(
        ...below
          .filter(isLog)
          .sort()
          .map((file) => join(path, file))
      )
    }
  }
  if (files.length === 0) {
    return yield* new TranscriptError({ message: `No .jsonl transcripts in ${paths.join(", ")}.` })
  }
  return files
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
    .pipe(Effect.mapError((error) => new TranscriptError({ message: `${file} cannot be read: ${error.message}` })))
})
