import type * as Fs from "node:fs"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import { Journal, readJournal } from "../../src/costs/Journal.ts"
import { intent } from "./entries.ts"

const disk = vi.hoisted(() => ({ full: false }))

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof Fs>()
  const writeSync = (file: number, bytes: Buffer, at: number): number => {
    if (!disk.full) return fs.writeSync(file, bytes, at)
    // Half a line still finds room.
    fs.writeSync(file, bytes.subarray(0, bytes.length >> 1))
    throw new Error("ENOSPC: no space left on device")
  }
  return { ...fs, writeSync }
})

describe("a disk that was full for a while", () => {
  it("forgets no cancellation: what was never sent is not booked after a restart", () => {
    const path = join(mkdtempSync(join(tmpdir(), "sluice-")), "journal")
    const journal = new Journal(path, new Map())
    for (const id of ["a", "b", "c"]) assert.isTrue(journal.open(intent(id)))
    disk.full = true
    assert.isTrue(journal.cancel("a"))
    assert.isTrue(journal.cancel("b"))
    assert.isFalse(journal.cancel("b"))
    assert.isFalse(journal.open(intent("d")))
    disk.full = false
    assert.isTrue(journal.open(intent("e")))
    assert.deepStrictEqual([...readJournal(path).keys()], ["c", "e"])
  })
})
