/**
 * Where the weights of `src/tokens/weights.ts` come from: fits them, and shows what they are worth on conversations and
 * on repositories that they were not fitted to.
 *
 *     node test/bench/estimator-fit.ts
 */
import { Console, Effect } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { ModelCatalog, type TokenizerGeneration } from "../../src/models/ModelCatalog.ts"
import { withoutUnanswered } from "../../src/tokens/answered.ts"
import { type Feature, features } from "../../src/tokens/automaton.ts"
import { makeMeasure } from "../../src/tokens/measure.ts"
import { countsOf, noVisits, scan } from "../../src/tokens/scan.ts"
import { walkMessage } from "../../src/tokens/walk.ts"
import { type Item, items, weights } from "../../src/tokens/weights.ts"
import { type Call, calls, conversationNames, dataIsHere, growths, repositoryOf } from "./estimator-data.ts"
import { type Observation, product, regress } from "./estimator-regression.ts"

/**
 * Tokens by feature of two open tokenizers (o200k and Claude 2's) on 9 MB of public source and documentation in fourteen
 * formats, averaged. Claude's new generation takes about 1.5 times, its old one 1.1 times as many.
 */
const shape: Readonly<Partial<Record<Feature, number>>> = {
  word: 0.95,
  longWord: 0.05,
  veryLongWord: 0.14,
  part: 0.91,
  longPart: 0.02,
  capital: 0.03,
  capitals: 0.14,
  digits: 1.29,
  punctuation: 0.86,
  mark: 0.21,
  marks: 0.02,
  newline: 0.75,
  indent: 0.37,
  gap: 1.48,
  longGap: 0,
  tab: 1.03
}
const scale: Readonly<Record<TokenizerGeneration, number>> = { old: 1.1, new: 1.5 }

/** Fitted besides the features of texts, with what they were guessed at. */
const structure: Readonly<Partial<Record<Item, number>>> = {
  assistantText: 1,
  userText: 3,
  toolRound: 15,
  toolUse: 20,
  parameter: 17,
  toolResult: 8,
  furtherToolResult: 36,
  errorResult: 8,
  emptyResult: 12
}

/** Not fitted: too rare in the data. */
const given: ReadonlySet<string> = new Set(["endless", "rule", "symbol", "foreign"])

const fittedFeatures = features.filter((feature) => !given.has(feature))
const fittedItems = items.filter((item) => item in structure)
const names = [...fittedFeatures, ...fittedItems]

interface Row extends Observation {
  readonly generation: TokenizerGeneration
  readonly repository: string
  /** Left out together when a fit is tried on what it has not seen. */
  readonly block: string
  readonly kind: "growth" | "answer" | "rest"
}

/** What is fitted of some messages, and the tokens of what is not. */
const countMessages = (messages: ReadonlyArray<Message>, generation: TokenizerGeneration) => {
  const visits = noVisits()
  const counts = new Map<Item, number>()
  for (const message of messages) {
    walkMessage(message, {
      text: (text) => scan(text, visits),
      json: (value) => scan(JSON.stringify(value) ?? "", visits),
      thinking: () => undefined,
      call: () => undefined,
      answer: () => undefined,
      count: (item, n) => counts.set(item, (counts.get(item) ?? 0) + n)
    })
  }
  const found = countsOf(visits)
  const fixed = features.reduce(
    (sum, name, i) => sum + (given.has(name) ? (found[i] ?? 0) * weights[generation].text[name] : 0),
    0
  )
  const ofText = fittedFeatures.map((feature) => found[features.indexOf(feature)] ?? 0)
  return { features: [...ofText, ...fittedItems.map((item) => counts.get(item) ?? 0)], fixed }
}

const measure = makeMeasure()

const received = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const sizes = messages.map(measure.message)
  return messages.map((message, i) => withoutUnanswered(i, messages, sizes) ?? message)
}

type RowBase = Pick<Row, "generation" | "repository" | "block" | "kind" | "weight">

const rowOf = (messages: ReadonlyArray<Message>, tokens: number, base: RowBase): Row => {
  const { features, fixed } = countMessages(messages, base.generation)
  return { ...base, features, actual: Math.max(1, tokens - fixed) }
}

/** Conversations; the one of pi-mono is cut into pieces. */
const blockOf = (name: string, from: number): string =>
  repositoryOf(name) === "pi-mono" ? `${name} ${Math.floor(from / 180)}` : name

const growthRows = (catalog: ModelCatalog["Service"]): ReadonlyArray<Row> =>
  growths().map(({ actual, conversation, from, messages, model, repository }) =>
    rowOf(received(messages), actual, {
      generation: catalog.get(model).tokenizer,
      repository,
      block: blockOf(conversation, from),
      kind: "growth",
      weight: 1
    })
  )

const thinks = ({ content }: Message): boolean =>
  typeof content !== "string" && content.some((block) => block.type === "thinking")

/** Where a log holds the real output of a call, its answer and the rest of the growth are known apart. */
const answerRows = (catalog: ModelCatalog["Service"], name: string): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  let before: Call | undefined
  for (const call of calls(name)) {
    const { model } = call.request
    const messages = received(call.request.messages)
    const at = before?.request.messages.length ?? 0
    const answer = messages[at]
    if (before !== undefined && call.number > 0 && !call.hidden && answer?.role === "assistant") {
      const generation = catalog.get(model).tokenizer
      const base = { generation, repository: repositoryOf(name), block: blockOf(name, at), weight: 0.2 } as const
      const output = before.usage.output
      const row = rowOf([answer], output, { ...base, kind: "answer" })
      const ratio = output / product(row.features, current(generation))
      const exact = thinks(answer) ? generation === "new" : ratio > 0.7 && ratio < 1.4
      const rest = call.actual - before.actual - output
      if (exact && !thinks(answer)) rows.push(row)
      if (exact && rest > 5) rows.push(rowOf(messages.slice(at + 1), rest, { ...base, kind: "rest" }))
    }
    before = call
  }
  return rows
}

const current = (generation: TokenizerGeneration): ReadonlyArray<number> => [
  ...fittedFeatures.map((feature) => weights[generation].text[feature]),
  ...fittedItems.map((item) => weights[generation].items[item])
]

const fitted = (rows: ReadonlyArray<Row>, generation: TokenizerGeneration): ReadonlyArray<number> =>
  regress(rows, {
    prior: [
      ...fittedFeatures.map((feature) => (shape[feature] ?? 0) * scale[generation]),
      ...fittedItems.map((item) => structure[item] ?? 0)
    ],
    ridge: 0.005,
    tolerance: 0.04,
    floor: 40
  })

const summary = (name: string, rows: ReadonlyArray<Row>, predict: (row: Row) => number): string => {
  const errors = rows.map((row) => Math.abs(predict(row) / row.actual - 1)).sort((a, b) => a - b)
  const within = (limit: number) => ((errors.filter((e) => e <= limit).length / errors.length) * 100).toFixed(1)
  const median = ((errors[Math.floor(errors.length / 2)] ?? 0) * 100).toFixed(2)
  return `  ${name.padEnd(44)} n ${String(rows.length).padStart(4)}  median ${median} %  within 10 % ${within(0.1)} %`
}

/** Every row predicted by a fit to all the others but its group. */
const leftOut = (rows: ReadonlyArray<Row>, generation: TokenizerGeneration, group: (row: Row) => string) => {
  const predictions = new Map<Row, number>()
  for (const [, members] of Map.groupBy(rows, group)) {
    const found = fitted(
      rows.filter((row) => !members.includes(row)),
      generation
    )
    for (const row of members) predictions.set(row, product(row.features, found))
  }
  return (row: Row): number => predictions.get(row) ?? 0
}

const report = (rows: ReadonlyArray<Row>, generation: TokenizerGeneration): string => {
  const mine = rows.filter((row) => row.generation === generation)
  const measured = mine.filter((row) => row.kind === "growth")
  const found = fitted(mine, generation)
  const repositories = [...new Set(mine.map((row) => row.repository))]
  const of = (repository: string) => measured.filter((row) => row.repository === repository)
  const byConversation = leftOut(mine, generation, (row) => row.block)
  const lines = [`\n${generation} tokenizer`, summary("fitted to all", measured, (row) => product(row.features, found))]
  for (const repository of repositories)
    lines.push(summary(`${repository}, its conversation left out`, of(repository), byConversation))
  if (repositories.length > 1) {
    const byRepository = leftOut(mine, generation, (row) => row.repository)
    for (const repository of repositories)
      lines.push(summary(`${repository}, the repository left out`, of(repository), byRepository))
  }
  lines.push(names.map((name, i) => `${name}: ${(found[i] ?? 0).toFixed(2)}`).join(", "))
  return lines.join("\n")
}

const program = Effect.gen(function* () {
  const catalog = yield* ModelCatalog
  const rows = [...growthRows(catalog), ...conversationNames().flatMap((name) => answerRows(catalog, name))]
  yield* Console.log("growths of prompts; one repository has the new tokenizer, so none can be left out there")
  for (const generation of ["old", "new"] as const) yield* Console.log(report(rows, generation))
})

await Effect.runPromise(
  dataIsHere
    ? Effect.provide(program, ModelCatalog.layerDefault)
    : Console.log("estimator-fit needs ../shared/data (usage_deltas.jsonl and conversations): nothing to fit here.")
)
