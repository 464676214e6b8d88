/**
 * Memory and money together: tokens, input dollars and recall of every policy on the real transcripts, and how far each
 * conversation is from the best fixed threshold that could have been chosen for it afterwards.
 *
 *     npm run bench:memory [MODEL …]      default: claude-sonnet-5-5 and claude-opus-5
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { Console, Effect } from "effect"
import { layer } from "../../src/cli/replay/layer.ts"
import { addTotals, noTotals, type Totals } from "../../src/cli/replay/Meter.ts"
import type { Policy } from "../../src/cli/replay/Policy.ts"
import { playWith } from "../../src/cli/replay/play.ts"
import { policies, sluiceWith } from "../../src/cli/replay/policies.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import { parseTranscripts, type Transcript } from "../../src/cli/replay/Transcript.ts"
import { cacheLifetimeMillis, type Decision, type Situation } from "../../src/context/CompactionPolicy.ts"
import { data, prompts, readProbes, recalledBy } from "./probes.ts"
import { breathing, layerWritten } from "./written.ts"

/** Compacts at a fixed size, and when the cache is cold. */
const fixed =
  (threshold: number) =>
  (s: Situation): Decision => {
    const must = s.upperBound > s.limit || s.fullMessages > s.maxMessages
    const cold = (s.idleMillis ?? 0) > cacheLifetimeMillis
    const compact =
      must || (s.idleMillis !== undefined && (cold || s.tokens > threshold) && s.floorTokens() < 0.75 * s.tokens)
    return { compact, reason: `fixed at ${threshold}`, savesNanoUsd: 0 }
  }

const thresholds = [12_000, 16_000, 20_000, 25_000, 30_000, 36_000, 45_000]

/** The same compaction under another ceiling, only when it must. */
const atCeiling =
  (maxContextTokens: number): Policy =>
  (history, bench) =>
    sluiceWith((s) => ({ compact: s.upperBound > s.limit, reason: "the ceiling", savesNanoUsd: 0 }))(history, {
      ...bench,
      settings: { ...bench.settings, maxContextTokens, maxContextMessages: 100_000 }
    })

const contestants = (window: number): ReadonlyArray<readonly [string, Policy]> => [
  ["none", policies.none],
  ["window", policies.window],
  ["seed", policies.seed],
  ["prompts + last 30", prompts],
  ["threshold 150k", atCeiling(150_000)],
  [`85 % of the window (${Math.round(window * 0.85)})`, atCeiling(Math.round(window * 0.85))],
  ["sluice", policies.sluice]
]

const transcripts = (): ReadonlyArray<Transcript> => {
  const folder = new URL("conversations/", data)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .flatMap((file) => parseTranscripts(file, readFileSync(new URL(file, folder), "utf8")).transcripts)
}

type Made = Effect.Success<ReturnType<typeof makeBench>>

const total = Effect.fnUntraced(function* (policy: Policy, logs: ReadonlyArray<Transcript>, { bench, meter }: Made) {
  let sum: Totals = noTotals
  for (const log of logs) sum = addTotals(sum, (yield* playWith(log, policy, bench, meter)).totals)
  return sum
})

const share = (part: number, whole: number): string => (whole === 0 ? "–" : (part / whole).toFixed(3))

const table = Effect.fnUntraced(function* (logs: ReadonlyArray<Transcript>, made: Made) {
  const probes = readProbes()
  const hard = probes.filter((p) => p.onlyBeforeLast30)
  const none = yield* total(policies.none, logs, made)
  const rows: Array<object> = []
  for (const [name, policy] of contestants(made.meter.model.contextWindow)) {
    const sum = yield* total(policy, logs, made)
    const { recalled } = yield* recalledBy(policy, probes, made.bench)
    rows.push({
      policy: name,
      "tokens / none": share(sum.sentTokens, none.sentTokens),
      "input $ / none": share(sum.inputNanoUsd, none.inputNanoUsd),
      "largest request": sum.maxRequestTokens,
      compactions: sum.compactions,
      "recall hard": share(hard.filter((p) => recalled.has(p)).length, hard.length),
      "recall all": share(recalled.size, probes.length),
      "ms a compaction": sum.compactions === 0 ? "–" : (sum.elapsedMs / sum.compactions).toFixed(1)
    })
  }
  yield* Console.table(rows)
})

/** Input dollars against the best of the fixed thresholds, conversation by conversation. */
const regret = Effect.fnUntraced(function* (logs: ReadonlyArray<Transcript>, made: Made) {
  const ratios: Array<{ readonly name: string; readonly ratio: number }> = []
  let ours = 0
  let best = 0
  for (const log of logs) {
    const own = (yield* total(policies.sluice, [log], made)).inputNanoUsd
    const others: Array<number> = []
    for (const threshold of thresholds) {
      others.push((yield* total(sluiceWith(fixed(threshold)), [log], made)).inputNanoUsd)
    }
    const least = Math.min(...others)
    ratios.push({ name: log.name, ratio: own / least })
    ours += own
    best += least
  }
  ratios.sort((a, b) => b.ratio - a.ratio)
  const within = ratios.filter(({ ratio }) => ratio <= 1.1).length
  yield* Console.log(
    `against the best fixed threshold of each conversation: ${share(ours, best)} in total, ${within} of ${ratios.length} within 10 %, worst ${ratios
      .slice(0, 3)
      .map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`)
      .join(", ")}`
  )
})

/** Light and heavy work of a compaction of a hundred messages that nobody has looked at before: processor milliseconds. */
const hundred = Effect.fnUntraced(function* (logs: ReadonlyArray<Transcript>, { bench }: Made) {
  const times: Array<number> = []
  for (const { messages } of [...logs, ...logs]) {
    for (let from = 0; from + 100 <= messages.length; from += 100) {
      const run = messages.slice(from, from + 100)
      const started = process.cpuUsage().user
      for (const [detail, maxTokens] of [
        ["light", 3_000],
        ["heavy", 600]
      ] as const) {
        for (let i = 0; i < 100; i += 20) {
          yield* bench.summarizer.summarize({
            conversation: "bench",
            detail,
            messages: run.slice(i, i + 20),
            maxTokens,
            model: bench.model
          })
        }
      }
      times.push((process.cpuUsage().user - started) / 1000)
    }
  }
  const warm = times.slice(times.length / 2).sort((a, b) => a - b)
  const at = (share: number) => (warm[Math.floor(warm.length * share)] ?? 0).toFixed(1)
  yield* Console.log(
    `light and heavy summaries of 100 messages: median ${at(0.5)} ms, p90 ${at(0.9)} ms of processor time`
  )
})

/** The same table row with summaries that the simulator wrote in the background, through the Governor. */
const written = Effect.fnUntraced(function* (logs: ReadonlyArray<Transcript>, model: string) {
  const made = yield* makeBench(model, 0)
  const probes = readProbes()
  const hard = probes.filter((p) => p.onlyBeforeLast30)
  const none = yield* total(policies.none, logs, made)
  const sum = yield* total(breathing, logs, made)
  const { recalled } = yield* recalledBy(breathing, probes, made.bench)
  yield* Console.log(
    `summaries by the simulator: ${share(sum.sentTokens, none.sentTokens)} of the tokens, ${share(sum.inputNanoUsd, none.inputNanoUsd)} of the input dollars, hard recall ${share(hard.filter((p) => recalled.has(p)).length, hard.length)}, largest request ${sum.maxRequestTokens}`
  )
}, Effect.provide(layerWritten))

const main = Effect.gen(function* () {
  const logs = transcripts()
  if (logs.length === 0)
    return yield* Console.log("No transcripts beside the project (../shared/data): nothing measured.")
  const models = process.argv.slice(2)
  for (const model of models.length > 0 ? models : ["claude-sonnet-5-5", "claude-opus-5"]) {
    const made = yield* makeBench(model, 0)
    yield* Console.log(`\n${made.bench.model}, summaries without a model`)
    yield* table(logs, made)
    yield* regret(logs, made)
    yield* hundred(logs, made)
    yield* written(logs, model)
  }
})

await Effect.runPromise(Effect.provide(main, layer))
