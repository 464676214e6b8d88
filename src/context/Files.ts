import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isToolUse, type ToolUseBlock } from "../domain/Message.ts"
import { field } from "./Agents.ts"
import { clip } from "./Text.ts"

/** A file that the conversation has worked with; `seq` is the message that did so last. */
export interface FileLine {
  readonly seq: number
  readonly path: string
  readonly written: boolean
}

/** Files kept: about 600 tokens. Written ones outlive those that were only read. */
const most = 40
const pathChars = 160

const writes = /write|edit|create|replace|patch|delete|remove|move/i

const lineOf = (seq: number, use: ToolUseBlock): ReadonlyArray<FileLine> => {
  const path = field(use.input, "file_path", "path", "notebook_path", "filename")
  if (path.length === 0 || path.length > pathChars || !/[./\\]/.test(path)) return []
  return [{ seq, path: clip(path, pathChars), written: writes.test(use.name) }]
}

const filesIn = (message: StoredMessage): ReadonlyArray<FileLine> =>
  blocksOf(message.content)
    .filter(isToolUse)
    .flatMap((use) => lineOf(message.seq, use))

const forgetOne = (files: ReadonlyArray<FileLine>): ReadonlyArray<FileLine> => {
  const read = files.findIndex((file) => !file.written)
  return files.filter((_, index) => index !== Math.max(0, read))
}

/** The files after these messages, too; the one worked with last at the end. */
export const gatherFiles = (
  files: ReadonlyArray<FileLine>,
  messages: ReadonlyArray<StoredMessage>
): ReadonlyArray<FileLine> => {
  const byPath = new Map(files.map((file) => [file.path, file]))
  for (const file of messages.flatMap(filesIn)) {
    const written = file.written || byPath.get(file.path)?.written === true
    byPath.delete(file.path)
    byPath.set(file.path, { ...file, written })
  }
  let kept: ReadonlyArray<FileLine> = Array.from(byPath.values())
  while (kept.length > most) kept = forgetOne(kept)
  return kept
}

/** The folder that all paths share, up to and with its last separator. */
const sharedFolder = (paths: ReadonlyArray<string>): string => {
  let shared = paths[0] ?? ""
  for (const path of paths) while (!path.startsWith(shared)) shared = shared.slice(0, -1)
  return shared.slice(0, Math.max(shared.lastIndexOf("/"), shared.lastIndexOf("\\")) + 1)
}

/** As the model reads it: the shared folder once, and every file below it. */
export const filesText = (files: ReadonlyArray<FileLine>): ReadonlyArray<string> => {
  if (files.length === 0) return []
  const folder = files.length < 3 ? "" : sharedFolder(files.map(({ path }) => path))
  const names = files.map(({ path, written }) => `${path.slice(folder.length)}${written ? " (written)" : ""}`)
  return [`[Files worked with${folder === "" ? "" : `, below ${folder}`}; newest last]`, names.join("; ")]
}
