/**
 * Memory probes: which facts of the early conversation can still be answered from the context at its end, by policy and
 * by kind. A probe is recalled when all its keywords stand in the context, character for character.
 *
 *     npm run bench:recall
 */
import { existsSync, readFileSync } from "node:fs"
import { Console, Effect } from "effect"
import { layer } from "../../src/cli/replay/layer.ts"
import { type Bench, type Policy, policyNames } from "../../src/cli/replay/Policy.ts"
import { requestPoints } from "../../src/cli/replay/play.ts"
import { policies } from "../../src/cli/replay/policies.ts"
import { makeBench } from "../../src/cli/replay/run.ts"
import { parseTranscripts } from "../../src/cli/replay/Transcript.ts"
import { type Message, startsTurn } from "../../src/domain/Message.ts"

interface Probe {
  readonly conversation: string
  readonly kind: string
  readonly answerKeywords: ReadonlyArray<string>
  readonly onlyBeforeLast30: boolean
}

const data = new URL("../../../shared/data/", import.meta.url)

/** The simple peer: every prompt of the user, and the last 30 messages. */
const prompts: Policy = (history) => {
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        sent = [
          ...history.slice(0, Math.max(0, upTo - 30)).filter(startsTurn),
          ...history.slice(Math.max(0, upTo - 30), upTo)
        ]
        return { tokens: 0, shared: 0, compaction: false }
      }),
    messages: () => sent
  }
}

/** The context as one text: JSON escapes undone, so that keywords match what was said. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.map(textOf).join("\n")
  return typeof value === "object" && value !== null ? Object.values(value).map(textOf).join("\n") : String(value)
}

const contextText = Effect.fnUntraced(function* (policy: Policy, conversation: string, bench: Bench) {
  const file = new URL(`conversations/${conversation}.jsonl`, data)
  const [transcript] = parseTranscripts(conversation, readFileSync(file, "utf8")).transcripts
  if (transcript === undefined) return ""
  const player = policy(transcript.messages, bench)
  for (const point of requestPoints(transcript.messages)) yield* player.prompt(point)
  return player
    .messages()
    .map((message) => textOf(message.content))
    .join("\n")
})

const share = (probes: ReadonlyArray<Probe>, recalled: ReadonlySet<Probe>): string =>
  probes.length === 0 ? "–" : `${(probes.filter((p) => recalled.has(p)).length / probes.length).toFixed(2)}`

const rowOf = Effect.fnUntraced(function* (name: string, policy: Policy, probes: ReadonlyArray<Probe>, bench: Bench) {
  const recalled = new Set<Probe>()
  const missed: Array<string> = []
  const conversations = Array.from(new Set(probes.map((p) => p.conversation)))
  let chars = 0
  for (const conversation of conversations) {
    const text = yield* contextText(policy, conversation, bench)
    chars += text.length
    for (const probe of probes.filter((p) => p.conversation === conversation)) {
      if (probe.answerKeywords.every((word) => text.includes(word))) recalled.add(probe)
      else missed.push(`${conversation}: ${probe.kind} ${probe.answerKeywords.join(" | ")}`)
    }
  }
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
    "chars a context": Math.round(chars / Math.max(1, conversations.length))
  }
  return { cells, missed }
})

const main = Effect.gen(function* () {
  const file = new URL("probes.json", data)
  if (!existsSync(file))
    return yield* Console.log("No memory probes beside the project (../shared/data/probes.json): nothing measured.")
  const probes: ReadonlyArray<Probe> = JSON.parse(readFileSync(file, "utf8"))
  const { bench } = yield* makeBench(undefined, 0)
  const rows: Array<object> = []
  const contestants = [
    ...policyNames.map((name) => [name, policies[name]] as const),
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
