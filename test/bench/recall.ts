/**
 * Memory probes: which facts of the early conversation can still be answered from the context at its end, by policy and
 * by kind. A probe is recalled when all its keywords stand in the context, character for character.
 *
 *     npm run bench:recall
 */
import { Console, Effect } from "effect"
import { layer } from "../../src/cli/replay/layer.ts"
import { type Bench, compared, type Policy } from "../../src/cli/replay/Policy.ts"
import { policies } from "../../src/cli/replay/policies.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import { type Probe, prompts, readProbes, recalledBy } from "./probes.ts"

const share = (probes: ReadonlyArray<Probe>, recalled: ReadonlySet<Probe>): string =>
  probes.length === 0 ? "–" : `${(probes.filter((p) => recalled.has(p)).length / probes.length).toFixed(2)}`

const rowOf = Effect.fnUntraced(function* (name: string, policy: Policy, probes: ReadonlyArray<Probe>, bench: Bench) {
  const { chars, recalled } = yield* recalledBy(policy, probes, bench)
  const kinds = Array.from(new Set(probes.map((p) => p.kind))).sort()
  const hard = probes.filter((p) => p.onlyBeforeLast30)
  const cells = {
    policy: name,
    all: share(probes, recalled),
    hard: share(hard, recalled),
    ...Object.fromEntries(
      kinds.map((kind) => [
        `hard ${kind}`,
        share(
          hard.filter((p) => p.kind === kind),
          recalled
        )
      ])
    ),
    "chars a context": Math.round(chars / Math.max(1, new Set(probes.map((p) => p.conversation)).size))
  }
  const missed = probes
    .filter((p) => !recalled.has(p))
    .map((p) => `${p.conversation}: ${p.kind} ${p.answerKeywords.join(" | ")}`)
  return { cells, missed }
})

const main = Effect.gen(function* () {
  const probes = readProbes()
  if (probes.length === 0) {
    return yield* Console.log("No memory probes beside the project (../shared/data/probes.json): nothing measured.")
  }
  const { bench } = yield* makeBench(undefined, 0)
  const rows: Array<object> = []
  const contestants = [
    ...compared(bench.settings).map((name) => [name, policies[name]] as const),
    ["prompts + last 30", prompts] as const
  ]
  let missed: ReadonlyArray<string> = []
  for (const [name, policy] of contestants) {
    const row = yield* rowOf(name, policy, probes, bench)
    rows.push(row.cells)
    if (name === "sluice") missed = row.missed
  }
  yield* Console.table(rows)
  yield* Console.log(`sluice misses:\n  ${missed.join("\n  ")}`)
})

await Effect.runPromise(Effect.provide(main, layer))
