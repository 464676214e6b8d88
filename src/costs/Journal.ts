import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { Option, Schema } from "effect"
import type { Rows } from "./LedgerStore.ts"
import { LedgerEntry, LedgerIntent } from "./Records.ts"

const Line = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ open: LedgerIntent }),
    Schema.Struct({ book: Schema.NonEmptyArray(LedgerEntry) }),
    Schema.Struct({ cancel: Schema.String })
  ])
)
const decode = Schema.decodeUnknownOption(Line)

type LiveLine = { readonly open: LedgerIntent } | { readonly book: Rows }

/** What a journal holds that the ledger may not: by request id, the request's intent or its rows. */
export type Live = ReadonlyMap<string, LiveLine>

/** After this many bytes, or as many as were live then, the journal is written anew with what is live only. */
const rotateAt = 1024 * 1024

/** Lines that cannot be read, such as one that the death of the process tore, are left out. */
export const readJournal = (path: string): Live => understood(readOrNothing(path).split("\n"))

const understood = (lines: Iterable<string>): Live => {
  const live = new Map<string, LiveLine>()
  for (const text of lines) {
    const line = Option.getOrUndefined(text === "" ? Option.none() : decode(text))
    if (line === undefined) continue
    if ("cancel" in line) live.delete(line.cancel)
    else if ("book" in line) live.set(line.book[0].requestId, line)
    else if (!live.has(line.open.requestId)) live.set(line.open.requestId, line)
  }
  return live
}

const readOrNothing = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/**
 * A file of what is under way: a line when a request begins and when it ends, written before anything goes on. A line
 * survives the death of the process (not of the machine: nothing waits for the disk). Written anew when it has grown,
 * so that it holds little more than what is live.
 */
export class Journal {
  private readonly path: string
  /** As text: a line is written more often than it is understood, and a text is one thing to keep. */
  private readonly lines: Map<string, string>
  private file: number
  private bytes = 0
  private limit = rotateAt
  private torn = false
  /** Cancellations that could not be written. */
  private owed = ""

  /** Begins the file with what is live already. Throws when it cannot be written. */
  constructor(path: string, live: Live) {
    this.path = path
    this.lines = new Map([...live].map(([requestId, line]) => [requestId, textOf(line)]))
    this.file = this.begin()
  }

  get live(): Live {
    return understood(this.lines.values())
  }

  /** Answers whether the intent is kept, and so for the others. */
  open(intent: LedgerIntent): boolean {
    return this.append(intent.requestId, { open: intent })
  }

  book(rows: Rows): boolean {
    return this.append(rows[0].requestId, { book: rows })
  }

  /** Answers whether there was something to cancel. Where it cannot be written, it is written before the next line. */
  cancel(requestId: string): boolean {
    if (!this.lines.delete(requestId)) return false
    this.owed += textOf({ cancel: requestId })
    this.write("")
    return true
  }

  /** The ledger has it. Needs no line: booking it again after a restart would change nothing. */
  done(requestId: string): void {
    this.lines.delete(requestId)
  }

  /** Leaves no file when nothing is under way. */
  close(): void {
    closeSync(this.file)
    if (this.lines.size === 0) rmSync(this.path, { force: true })
  }

  private append(requestId: string, line: LiveLine): boolean {
    const text = textOf(line)
    if (!this.write(text)) return false
    this.lines.set(requestId, text)
    return true
  }

  private write(text: string): boolean {
    try {
      if (this.bytes > this.limit) this.rotate()
      const all = `${this.torn ? "\n" : ""}${this.owed}${text}`
      writeAll(this.file, all)
      this.bytes += all.length
      this.owed = ""
      this.torn = false
      return true
    } catch {
      this.torn = true
      return false
    }
  }

  private rotate(): void {
    const old = this.file
    this.file = this.begin()
    closeSync(old)
  }

  /** The file is complete before it takes the place of the old one. */
  private begin(): number {
    const text = [...this.lines.values()].join("")
    const next = `${this.path}.next`
    writeFileSync(next, text)
    const file = openSync(next, "a")
    renameSync(next, this.path)
    // What was cancelled is not in it.
    this.owed = ""
    this.bytes = 0
    this.limit = Math.max(rotateAt, text.length)
    return file
  }
}

const textOf = (line: object): string => `${JSON.stringify(line)}\n`

const writeAll = (file: number, text: string): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
