import { mkdirSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { logFiles, readLog } from "../../src/cli/replay/files.ts"
import { eachTranscript } from "../../src/cli/replay/logs.ts"
import { folderOf, under } from "./logs.ts"

const message = JSON.stringify({ role: "user", content: "hello" })

const visit = (folder: string) =>
  eachTranscript(
    [folder],
    () => Effect.void,
    () => Effect.void
  )

describe("the logs that are replayed", () => {
  it.effect("below a folder are files only: no folder of that name, no link that leads nowhere, no circle", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "b.jsonl": message, "a.jsonl": message, "notes.txt": message })
      mkdirSync(join(folder, "c.jsonl"))
      symlinkSync(join(folder, "gone"), join(folder, "d.jsonl"))
      symlinkSync(folder, join(folder, "again"))
      const files = yield* logFiles([folder])
      assert.deepStrictEqual(
        files.map((file) => basename(file)),
        ["a.jsonl", "b.jsonl"]
      )
    }).pipe(Effect.scoped, under())
  )

  it.effect("are counted once, however often they are named", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": message, "b.jsonl": message })
      const a = join(folder, "a.jsonl")
      assert.deepStrictEqual(yield* logFiles([a, folder, folder]), [a, join(folder, "b.jsonl")])
    }).pipe(Effect.scoped, under())
  )

  it.effect("without a single message are a mistake, and the first line that was skipped says why", () =>
    Effect.gen(function* () {
      const empty = yield* folderOf({ "a.jsonl": "\n" })
      assert.match((yield* Effect.flip(visit(empty))).message, /^No messages in \S+\.$/)
      const garbled = yield* folderOf({ "a.jsonl": "{\n" })
      assert.match((yield* Effect.flip(visit(garbled))).message, /a\.jsonl:1: not JSON/)
    }).pipe(Effect.scoped, under())
  )

  it.effect("that cannot be read say what the system says", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({})
      const { message } = yield* Effect.flip(readLog(folder))
      assert.include(message, "EISDIR")
      assert.notInclude(message, "FileSystem")
    }).pipe(Effect.scoped, under())
  )
})
