import { basename, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { textReport } from "../../src/cli/replay/report.ts"
import { type PolicyChoice, replay } from "../../src/cli/replay/run.ts"
import { recallTolerance, sweep, type Trial } from "../../src/cli/replay/sweep.ts"
import { sweepReport } from "../../src/cli/replay/sweepReport.ts"
import { missCauses, noTotals } from "../../src/cli/replay/Totals.ts"
import { folderOf, logOf, under } from "./logs.ts"
import { lines, sluice } from "./run.ts"

const options = (folder: string, policies: PolicyChoice = "all") => ({
  paths: [folder],
  policies,
  model: undefined,
  prefixTokens: 500,
  onFile: () => Effect.void
})

const logs = { "a.jsonl": logOf(1, 60), "b.jsonl": logOf(2, 45) }
/** Small contexts, so that short histories are compacted. */
const small = { MAX_CONTEXT_TOKENS: "25000" }

describe("replay", () => {
  it.effect("compares one policy of each kind, and Sluice under both objectives", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(logs)
      const { conversations, policies } = yield* replay(options(folder)).pipe(under(small))
      assert.deepStrictEqual(Object.keys(policies), ["none", "window", "seed", "sluice", "sluice-tokens"])
      assert.deepStrictEqual(
        conversations.map(({ conversation }) => basename(conversation)),
        Object.keys(logs)
      )
      const dollars = yield* replay(options(folder, ["sluice-dollars"])).pipe(under(small))
      const { elapsedMs: _, ...expected } = policies.sluice ?? {}
      assert.deepInclude(dollars.policies["sluice-dollars"], expected)
    }).pipe(Effect.scoped)
  )

  it.effect("`sluice` follows COMPACTION_OBJECTIVE, and the other objective stands beside it", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(logs)
      const { policies } = yield* replay(options(folder)).pipe(under({ ...small, COMPACTION_OBJECTIVE: "tokens" }))
      const tokens = yield* replay(options(folder, ["sluice-tokens"])).pipe(under(small))
      assert.deepStrictEqual(Object.keys(policies), ["none", "window", "seed", "sluice", "sluice-dollars"])
      assert.strictEqual(policies.sluice?.sentTokens, tokens.policies["sluice-tokens"]?.sentTokens)
      assert.strictEqual(policies.sluice?.inputNanoUsd, tokens.policies["sluice-tokens"]?.inputNanoUsd)
    }).pipe(Effect.scoped)
  )

  it.effect("counts misses by cause and identifiers held, the same in JSON, in sums and in print", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(logs)
      const result = yield* replay(options(folder)).pipe(under(small))
      const { none, seed, sluice: own, window } = result.policies
      for (const totals of [none, window, seed, own]) {
        const byCause = missCauses.reduce((sum, cause) => sum + (totals?.cacheMissesByCause[cause] ?? 0), 0)
        assert.strictEqual(totals?.cacheMisses, byCause)
        assert.strictEqual(totals?.recallNeeded, none?.recallNeeded)
      }
      assert.strictEqual(none?.cacheMisses, none?.cacheMissesByCause.cold)
      assert.isAbove(window?.cacheMissesByCause.moved ?? 0, 10)
      assert.isAbove(seed?.cacheMissesByCause.compaction ?? 0, 10)
      assert.strictEqual(own?.cacheMissesByCause.moved, 0)
      assert.isAbove(none?.recallNeeded ?? 0, 10)
      const each = result.conversations.map(({ policies }) => policies.sluice?.recallHeld ?? 0)
      assert.strictEqual(
        each.reduce((a, b) => a + b, 0),
        own?.recallHeld
      )
      const printed = textReport(result)
      assert.match(printed, /misses +recall/)
      assert.match(printed, /^2 conversations at/m)
      assert.match(textReport({ ...result, conversations: result.conversations.slice(1) }), /^1 conversation at/m)
      assert.include(printed, `window missed the prompt cache ${window?.cacheMisses.toLocaleString("en-US")} times`)
    }).pipe(Effect.scoped)
  )
})

const envOf = (trial: Trial): string =>
  [
    `COMPACTION_OBJECTIVE=${trial.compactionObjective}`,
    `MAX_CONTEXT_TOKENS=${trial.maxContextTokens}`,
    `RECENT_MESSAGES_FULL=${trial.recentMessagesFull}`,
    `SUMMARY_LENGTH_WORDS=${trial.summaryLengthWords}`
  ].join("\n")

describe("the sweep", () => {
  it.effect("chooses the cheapest that remembers as much as the current settings, and says how far those are off", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(logs)
      const trials = yield* sweep(options(folder)).pipe(under({ SUMMARY_LENGTH_WORDS: "150" }))
      const [current, ...more] = trials.filter((trial) => trial.current)
      const [chosen, ...others] = trials.filter((trial) => trial.chosen)
      assert.deepStrictEqual([more, others], [[], []])
      assert.strictEqual(current?.summaryLengthWords, 150)
      const least = (current?.totals.recall ?? 1) - recallTolerance
      const rivals = trials.filter(({ totals }) => (totals.recall ?? 1) >= least)
      assert.isAtLeast(chosen?.totals.recall ?? 0, least)
      assert.strictEqual(chosen?.totals.inputNanoUsd, Math.min(...rivals.map(({ totals }) => totals.inputNanoUsd)))
      const costs = trials.map(({ totals }) => totals.inputNanoUsd)
      assert.deepStrictEqual(
        costs,
        costs.toSorted((a, b) => a - b)
      )
      const printed = sweepReport(trials)
      assert.isTrue(printed.endsWith(chosen === undefined ? "?" : envOf(chosen)))
      assert.match(printed, /of those that recall as much: \d of 2 within 10 %, the worst \d\.\d\d × \([ab]\.jsonl\)/)
    }).pipe(Effect.scoped)
  )

  it.effect("measures every trial against the best one of each conversation", () =>
    Effect.gen(function* () {
      const short = { "a.jsonl": logOf(4, 30), "b.jsonl": logOf(5, 25) }
      const folder = yield* folderOf(short)
      const trials = yield* sweep(options(folder)).pipe(under())
      for (const [index, name] of Object.keys(short).entries()) {
        const own = trials.map(({ conversations }) => conversations[index])
        assert.isTrue(own.every((one) => basename(one?.conversation ?? "") === name))
        const least = Math.min(...own.map((one) => one?.inputNanoUsd ?? 0))
        for (const one of own) assert.closeTo(one?.againstBest ?? 0, (one?.inputNanoUsd ?? 0) / least, 1e-9)
        const current = trials.find((trial) => trial.current)?.conversations[index]
        assert.isAtLeast(current?.againstAlike ?? 0, 1)
        assert.isAtMost(current?.againstAlike ?? 0, current?.againstBest ?? 0)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("changes nothing where nothing is gained", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 4) })
      const trials = yield* sweep(options(folder)).pipe(under())
      assert.isTrue(trials.find((trial) => trial.chosen)?.current)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the current settings as they are, and says MID_RANGE_MESSAGES where its choice needs another", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 30) })
      const narrow = { RECENT_MESSAGES_FULL: "15", MID_RANGE_MESSAGES: "25" }
      const trials = yield* sweep(options(folder)).pipe(under(narrow))
      assert.strictEqual(trials.find((trial) => trial.current)?.midRangeMessages, 25)
      const wide = trials.filter((trial) => trial.recentMessagesFull === 30)
      assert.isTrue(wide.length > 0 && wide.every((trial) => trial.midRangeMessages === 50))
      const printed = sweepReport(trials.map((trial) => ({ ...trial, chosen: trial === wide[0] })))
      assert.match(printed, /RECENT_MESSAGES_FULL=30\nMID_RANGE_MESSAGES=50\n/)
    }).pipe(Effect.scoped)
  )

  it("prints what each further dollar buys, and nothing that costs more to remember less", () => {
    const trial = (maxContextTokens: number, usd: number, recall: number, marks: Partial<Trial> = {}): Trial => ({
      compactionObjective: "dollars",
      maxContextTokens,
      recentMessagesFull: 30,
      midRangeMessages: 100,
      summaryLengthWords: 200,
      totals: { ...noTotals, inputNanoUsd: usd * 1e9, recall },
      current: false,
      chosen: false,
      conversations: [],
      ...marks
    })
    const printed = sweepReport([
      trial(11_000, 1, 0.2),
      trial(22_000, 2, 0.1),
      trial(33_000, 3, 0.5, { chosen: true }),
      trial(44_000, 4, 0.4, { current: true }),
      trial(55_000, 5, 0.6)
    ])
    const ceilings = lines(printed).flatMap((line) => /dollars +(\d+)/.exec(line)?.[1] ?? [])
    assert.deepStrictEqual(ceilings, ["11000", "33000", "44000", "55000"])
    assert.match(printed, /^→ +dollars +33000/m)
    assert.match(printed, /^now +dollars +44000/m)
  })

  it.effect("without any settings that could play every log it says what to raise", () =>
    Effect.sync(() => assert.include(sweepReport([]), "MAX_CONTEXT_TOKENS"))
  )
})

describe("on the command line", () => {
  it.live("context takes the only log of a folder, and names them when there are several", () =>
    Effect.gen(function* () {
      const one = yield* folderOf({ "only.jsonl": logOf(3, 20) })
      const several = yield* folderOf(logs)
      const taken = yield* sluice(["context", one, "--json"])
      assert.strictEqual(taken.code, 0)
      assert.isAbove(JSON.parse(taken.stdout).messages.length, 0)
      const refused = yield* sluice(["context", several])
      assert.strictEqual(refused.code, 1)
      assert.strictEqual(lines(refused.stderr).length, 1)
      assert.match(refused.stderr, /2 transcripts: a\.jsonl, b\.jsonl\. Name one/)
    }).pipe(Effect.scoped)
  )

  it.live("--html compares all policies, writes the file and keeps standard output for the figures", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(logs)
      const file = join(folder, "report.html")
      const { code, stderr, stdout } = yield* sluice(["replay", folder, "--html", file, "--json"])
      assert.strictEqual(code, 0)
      assert.include(stderr, file)
      assert.containsAllKeys(JSON.parse(stdout).policies, ["none", "window", "seed", "sluice", "sluice-tokens"])
    }).pipe(Effect.scoped)
  )

  it.live("a report that cannot be written is one line, and nothing is played for it", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": "no log" })
      for (const file of [join(folder, "no", "where.html"), folder, join(folder, "b.jsonl")]) {
        const { code, stderr } = yield* sluice(["replay", folder, "--html", file])
        assert.strictEqual(code, 1)
        assert.match(stderr, /^sluice: \S+ cannot be written: [^\n]+\n$/)
        assert.notInclude(stderr, "FileSystem")
      }
    }).pipe(Effect.scoped)
  )

  it.live("a sweep plays settings of Sluice only: what it cannot obey is refused", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 5) })
      for (const [flag, value] of [
        ["--html", "x.html"],
        ["--policy", "none"]
      ] as const) {
        const { code, stderr } = yield* sluice(["replay", folder, "--sweep", flag, value])
        assert.strictEqual(code, 2)
        assert.match(stderr, new RegExp(`^sluice: --sweep and ${flag} exclude each other[^\n]*\n$`))
      }
    }).pipe(Effect.scoped)
  )

  it.live("context shows a sub-agent by the name that replay gives it", () =>
    Effect.gen(function* () {
      const line = (role: string, content: string, agentId?: string) =>
        JSON.stringify({ type: role, message: { role, content }, isSidechain: agentId !== undefined, agentId })
      const log = [line("user", "to all"), line("user", "to one", "a1"), line("assistant", "from one", "a1")]
      const file = join(yield* folderOf({ "session.jsonl": log.join("\n") }), "session.jsonl")
      assert.include((yield* sluice(["context", file])).stdout, "to all")
      assert.include((yield* sluice(["context", `${file}#agent-a1`])).stdout, "to one")
      const { code, stderr } = yield* sluice(["context", `${file}#agent-b2`])
      assert.strictEqual(code, 1)
      assert.include(stderr, "session.jsonl#agent-a1")
    }).pipe(Effect.scoped)
  )

  it.live("--explain tells the same as text and as JSON", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ "a.jsonl": logOf(1, 30) })
      const text = yield* sluice(["context", folder, "--explain"])
      const { bands, breakpoints, decision } = JSON.parse(
        (yield* sluice(["context", folder, "--explain", "--json"])).stdout
      )
      assert.include(text.stdout, decision.reason)
      assert.include(text.stdout, `breakpoints: ${breakpoints.join(", ")}`)
      for (const { band, from, to, tokens } of bands) {
        const told = from === null ? "nothing" : `messages ${from}–${to - 1}, ${tokens} tokens`
        assert.match(text.stdout, new RegExp(`^${band}: .*${told}$`, "m"))
      }
    }).pipe(Effect.scoped)
  )
})
