import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { folderOf, logOf } from "./logs.ts"
import { clean, lines, ran, root, sluice } from "./run.ts"

const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))

const subcommands = ["serve", "simulate", "replay", "context", "report", "cache"]

describe("sluice", () => {
  it.live("shows help with every subcommand, with --help and with nothing", () =>
    Effect.gen(function* () {
      for (const args of [["--help"], []]) {
        const { code, stdout } = yield* sluice(args)
        assert.strictEqual(code, 0)
        for (const name of subcommands) assert.match(stdout, new RegExp(`^ {2}${name} `, "m"), name)
      }
    })
  )

  it.live("tells its version", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* sluice(["--version"])
      assert.strictEqual(code, 0)
      assert.include(stdout, version)
    })
  )

  it.live("prints completions", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* sluice(["--completions", "bash"])
      assert.strictEqual(code, 0)
      assert.include(stdout, "serve")
    })
  )

  it.live("exits 2 for what it does not know", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* sluice(["bogus"])).code, 2)
      assert.strictEqual((yield* sluice(["serve", "--bogus"])).code, 2)
      assert.strictEqual((yield* sluice(["replay", ".", "--prefix-tokens", "-5"])).code, 2)
    })
  )

  it.live("a report of what excludes each other, and of days that are none, is refused before anything is asked", () =>
    Effect.gen(function* () {
      for (const [flags, said] of [
        [["--json", "--csv"], "--json and --csv exclude each other"],
        [["--day", "2026-11-21", "--to", "2026-11-22"], "--day and --to exclude each other"],
        [["--from", "2026-11-22", "--to", "2026-11-21"], "--from 2026-11-22 is after --to 2026-11-21"],
        [["--lines"], "--lines goes with --csv or --json"],
        [["--day", "2026-02-31"], "a day of the calendar"],
        [["--url", "localhost:1"], "an address like http://127.0.0.1:9403"]
      ] as const) {
        const { code, stderr } = yield* sluice(["report", ...flags])
        assert.strictEqual(code, 2)
        assert.include(stderr, said)
      }
    })
  )

  it.live("says in one line that no service runs, and exits 1", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* sluice(["cache", "stats", "--url", "http://127.0.0.1:1"])
      assert.strictEqual(code, 1)
      assert.strictEqual(lines(stderr).length, 1)
      assert.include(stderr, "sluice serve")
    })
  )

  it.live("warnings go to standard error: what was asked for stays readable by a program", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 4) })
      const { stderr, stdout } = yield* sluice(["replay", folder, "--json", "--model", "unheard-of"])
      assert.include(stderr, "unheard-of")
      assert.strictEqual(JSON.parse(stdout).model, "unheard-of")
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!existsSync("/dev/full"))("what cannot be written is a failure, what nobody reads on is none", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 30) })
      const run = (where: string) =>
        ran("sh", ["-c", `"$0" src/main.ts context "$1" --json ${where}`, process.execPath, folder], {
          cwd: root,
          env: clean()
        })
      const full = yield* run("> /dev/full")
      assert.strictEqual(full.code, 1)
      assert.match(full.stderr, /^sluice: Standard output cannot be written: ENOSPC[^\n]+\n$/)
      assert.deepStrictEqual(yield* run("| true"), { code: 0, stdout: "", stderr: "" })
    }).pipe(Effect.scoped)
  )

  it.live("a bad setting is one line that names variable, value and what is accepted, and exits 2", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* sluice(["serve"], { PORT: "http" })
      assert.strictEqual(code, 2)
      assert.strictEqual(lines(stderr).length, 1)
      assert.include(stderr, 'PORT="http"')
      assert.include(stderr, "65535")
    })
  )
})
