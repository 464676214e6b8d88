import { existsSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { type Child, start } from "../support/child.ts"
import { temporaryDirectory } from "../support/directory.ts"
import { emptyDatabase } from "../support/template.ts"

const repoIn = (directory: string) => Layer.provide(ChatRepo.layerNoDeps, Database.layerEmbedded(directory))

const appender = (...args: ReadonlyArray<string>) => start(import.meta.url, "./children/append.ts", args)

/** Reads acknowledgements until there are `count` of them, then kills, then reads what was still under way. */
const killAfter = Effect.fnUntraced(function* (child: Child, count: number) {
  const acknowledged: Array<number> = []
  assert.strictEqual(yield* child.line, "open")
  for (let i = 0; i < count; i++) acknowledged.push(...((yield* child.line) ?? "").split(" ").map(Number))
  yield* child.kill
  for (let line = yield* child.line; line !== undefined; line = yield* child.line) {
    acknowledged.push(...line.split(" ").map(Number))
  }
  return acknowledged
})

const stored = (directory: string, id: string) =>
  ChatRepo.use((repo) => repo.messages(id, { limit: 10_000 })).pipe(Effect.provide(repoIn(directory)))

// Each test starts several processes; a busy machine needs its time.
describe("embedded database", { timeout: 240_000 }, () => {
  it.live("loses nothing acknowledged when its process is killed, round after round", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDatabase
      const acknowledged = new Set<number>()
      for (const appends of [1, 40, 7, 150]) {
        const child = yield* appender(directory, "kept")
        for (const seq of yield* killAfter(child, appends)) {
          assert.isFalse(acknowledged.has(seq), `number ${seq} was given twice`)
          acknowledged.add(seq)
        }
        const messages = yield* stored(directory, "kept")
        assert.deepStrictEqual(
          messages.map((m) => m.seq),
          messages.map((_, i) => i)
        )
        for (const seq of acknowledged) assert.isBelow(seq, messages.length)
      }
      assert.isAtLeast(acknowledged.size, 198)
    })
  )

  it.live("survives a process killed while it makes the database", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "db")
      for (const stage of [`${directory}.new`, `${directory}.new/postgresql.conf`, directory]) {
        const child = yield* appender(directory, "early")
        yield* Effect.sleep(5).pipe(Effect.repeat({ until: () => existsSync(stage) }))
        yield* child.kill
      }
      const child = yield* appender(directory, "early", "3")
      assert.strictEqual(yield* child.line, "open")
      assert.strictEqual(yield* child.exit, 0)
    })
  )
})

describe("one directory", { timeout: 240_000 }, () => {
  it.live("serves one process at a time, and says so to the second", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDatabase
      const first = yield* appender(directory, "shared")
      assert.strictEqual(yield* first.line, "open")
      const second = yield* appender(directory, "shared", "1")
      const said = yield* second.line
      assert.include(said, "DatabaseUnavailable")
      assert.include(said, directory)
      assert.include(said, "another process")
      assert.include(said, "DATA_DIR")
      assert.strictEqual(yield* second.exit, 3)
      const here = yield* Effect.flip(stored(directory, "shared"))
      assert.strictEqual(here._tag, "DatabaseUnavailable")
      yield* first.line
      yield* first.kill
      assert.isNotEmpty(yield* stored(directory, "shared"))
    })
  )
})
