/**
 * Memory probes: which facts of the early conversation can still be answered from the context at its end, by policy and
 * by kind; and which by one call of `recall_history`, asked for the answer's words or for those of the question. A probe is
 * recalled when all its keywords stand in the context, or in the call's answer, character for character.
 *
 *     npm run bench:recall
 */
import { Console, Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { layer } from "../../src/cli/replay/layer.ts"
import { type Bench, compared, type Policy } from "../../src/cli/replay/Policy.ts"
import { policies } from "../../src/cli/replay/policies.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import { Settings } from "../../src/Settings.ts"
import { type Probe, prompts, readProbes, recalledBy } from "./probes.ts"
import { byAnswer, byQuestion, missedBySearch } from "./searchProbes.ts"

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
  return { cells, missed, recalled }
})

const searching = MessageSearch.layer.pipe(
  Layer.provideMerge(ChatRepo.layerNoDeps),
  Layer.provide(Database.layerMemory),
  Layer.provide(Settings.layerWith({}))
)

/** What one call of `recall_history` reaches, alone and beside the context. */
const byCall = Effect.fnUntraced(function* (probes: ReadonlyArray<Probe>, inContext: ReadonlySet<Probe>) {
  const rows: Array<object> = []
  for (const [query, asked] of [
    ["the answer's words", byAnswer],
    ["the question", byQuestion]
  ] as const) {
    const missed = new Set((yield* missedBySearch(probes.map(asked))).map(({ probe }) => probe))
    const reached = new Set(probes.filter((probe) => !missed.has(probe)))
    const either = new Set([...reached, ...inContext])
    const hard = probes.filter((probe) => probe.onlyBeforeLast30)
    rows.push({
      "recall_history asked for": query,
      all: share(probes, reached),
      hard: share(hard, reached),
      "hard, or in sluice's context": share(hard, either)
    })
  }
  return rows
}, Effect.provide(searching))

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
  let inContext: ReadonlySet<Probe> = new Set()
  for (const [name, policy] of contestants) {
    const row = yield* rowOf(name, policy, probes, bench)
    rows.push(row.cells)
    if (name === "sluice") [missed, inContext] = [row.missed, row.recalled]
  }
  yield* Console.table(rows)
  yield* Console.table(yield* byCall(probes, inContext))
  yield* Console.log(`sluice misses:\n  ${missed.join("\n  ")}`)
})

await Effect.runPromise(Effect.provide(main, layer))
