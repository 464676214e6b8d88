/**
 * The token estimator against what upstream counted: growths of prompts, and whole prompts of conversations replayed call
 * by call through the service.
 *
 *     npm run bench:estimator
 */
import { Console, Effect, Layer } from "effect"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { noVisits, scan } from "../../src/tokens/scan.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import {
  type Call,
  calls,
  conversation,
  conversationNames,
  dataIsHere,
  growths,
  repositoryOf
} from "./estimator-data.ts"

interface Sample {
  readonly actual: number
  readonly tokens: number
  readonly upperBound: number
}

type Estimator = TokenEstimator["Service"]

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`
const errorOf = ({ actual, tokens }: Sample): number => Math.abs(tokens / actual - 1)
const share = (samples: ReadonlyArray<Sample>, holds: (sample: Sample) => boolean): string =>
  percent(samples.filter(holds).length / samples.length, 2)

const quantile = (samples: ReadonlyArray<Sample>, q: number): number => {
  const errors = samples.map(errorOf).sort((a, b) => a - b)
  return errors[Math.min(errors.length - 1, Math.floor(q * errors.length))] ?? 0
}

const sum = (samples: ReadonlyArray<Sample>, field: keyof Sample): number =>
  samples.reduce((total, sample) => total + sample[field], 0)

const row = (name: string, samples: ReadonlyArray<Sample>): ReadonlyArray<string> => [
  name,
  String(samples.length),
  percent(sum(samples, "tokens") / sum(samples, "actual") - 1),
  percent(quantile(samples, 0.5), 2),
  percent(quantile(samples, 0.99)),
  percent(quantile(samples, 1)),
  share(samples, (s) => errorOf(s) <= 0.03),
  share(samples, (s) => errorOf(s) <= 0.1),
  share(samples, (s) => s.actual <= s.upperBound),
  percent(sum(samples, "upperBound") / sum(samples, "tokens") - 1)
]

const header = ["", "n", "bias", "median", "p99", "worst", "within 3 %", "within 10 %", "bound holds", "bound above"]

const table = (title: string, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [header, ...rows]
  const widths = header.map((_, i) => Math.max(...all.map((cells) => cells[i]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")
  return `\n${title}\n${all.map(line).join("\n")}`
}

const added = (a: Sample, b: { readonly tokens: number; readonly upperBound: number }): Sample => ({
  actual: a.actual,
  tokens: a.tokens + b.tokens,
  upperBound: a.upperBound + b.upperBound
})

/** Growths, message by message, by weights alone. */
const growthRows = (estimator: Estimator, catalog: ModelCatalog["Service"]) => {
  const samples = growths().map((growth) => ({
    groups: [`${catalog.get(growth.model).tokenizer} tokenizer`, `  ${growth.repository}`],
    sample: growth.messages.reduce((a, message) => added(a, estimator.message(message, growth.model)), {
      actual: growth.actual,
      tokens: 0,
      upperBound: 0
    })
  }))
  const groups = [...new Set(samples.flatMap((s) => s.groups))].sort((a, b) => a.trim().localeCompare(b.trim()))
  const of = (group: string) => samples.filter((s) => s.groups.includes(group)).map((s) => s.sample)
  return [
    row(
      "all",
      samples.map((s) => s.sample)
    ),
    ...groups.map((group) => row(group, of(group)))
  ]
}

interface Replayed extends Sample {
  readonly repository: string
  readonly call: Call
}

/** Every call of a conversation but its first; `teach` decides which ones are observed. */
const replay = Effect.fnUntraced(function* (estimator: Estimator, name: string, teach: (call: Call) => boolean) {
  const samples: Array<Replayed> = []
  for (const call of calls(name)) {
    const estimate = estimator.estimate(call.request)
    if (call.number > 0) samples.push({ ...estimate, actual: call.actual, repository: repositoryOf(name), call })
    if (teach(call)) yield* estimator.observe(call.request, call.usage)
  }
  return samples
})

const promptRows = (samples: ReadonlyArray<Replayed>) => {
  const late = samples.filter((s) => s.call.number >= 10)
  const repositories = [...new Set(samples.map((s) => s.repository))]
  return [
    row("all", samples),
    row(
      "all in the log",
      samples.filter((s) => !s.call.hidden)
    ),
    row("after ten calls", late),
    ...repositories.map((name) =>
      row(
        `  ${name}`,
        samples.filter((s) => s.repository === name)
      )
    ),
    ...repositories.map((name) =>
      row(
        `  ${name}, after ten`,
        late.filter((s) => s.repository === name)
      )
    )
  ]
}

const texts = (): ReadonlyArray<string> =>
  conversationNames().flatMap((name) => conversation(name).map((message) => JSON.stringify(message.content)))

const speed = (): string => {
  const all = texts()
  const characters = all.reduce((n, text) => n + text.length, 0)
  const rates = Array.from({ length: 7 }, () => {
    const visits = noVisits()
    const started = process.hrtime.bigint()
    for (const text of all) scan(text, visits)
    return characters / 1e6 / (Number(process.hrtime.bigint() - started) / 1e9)
  })
  return `\nscan: ${Math.round(Math.max(...rates))} MB/s (best of 7 over ${(characters / 1e6).toFixed(1)} MB)`
}

const fresh = <A, E>(effect: Effect.Effect<A, E, TokenEstimator | ModelCatalog>) =>
  Effect.provide(effect, TokenEstimator.layerMemory.pipe(Layer.provideMerge(ModelCatalog.layerDefault)))

const program = Effect.gen(function* () {
  const deltas = Effect.gen(function* () {
    return growthRows(yield* TokenEstimator, yield* ModelCatalog)
  })
  yield* Console.log(
    table(
      "growth of prompts, weights alone (to beat: median 8.8 % old, 9.9 % new; 56 % / 50 % within 10 %)",
      yield* fresh(deltas)
    )
  )

  const replayed = Effect.gen(function* () {
    const estimator = yield* TokenEstimator
    const samples = yield* Effect.forEach(conversationNames(), (name) => replay(estimator, name, () => true))
    return { prompts: promptRows(samples.flat()), deltas: growthRows(estimator, yield* ModelCatalog) }
  })
  const { deltas: learned, prompts } = yield* fresh(replayed)
  yield* Console.log(
    table(
      "whole prompts, every call observed (the first of a conversation is not scored: system and tools are not in the log)",
      prompts
    )
  )
  yield* Console.log(table("growth of prompts, with what the replay above taught", learned))

  const adrift = yield* Effect.forEach(conversationNames(), (name) =>
    fresh(Effect.flatMap(TokenEstimator, (estimator) => replay(estimator, name, (call) => call.number === 0)))
  )
  yield* Console.log(table("whole prompts, only the first call observed", promptRows(adrift.flat())))
  yield* Console.log(speed())
})

const absent = Console.log(
  "bench:estimator needs ../shared/data (usage_deltas.jsonl and conversations): nothing to measure here."
)

await Effect.runPromise(dataIsHere ? program : absent)
