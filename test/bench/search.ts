/**
 * Searches in one conversation of 100,000 messages: embedded, and on a Postgres server where DATABASE_URL names one
 * (`--server`: only there).
 *
 *     npm run bench:search [-- --messages 100000] [--server]
 *
 * Processor time is this process's, all threads: with the embedded database it is the whole search, on a busy machine too.
 */
import { parseArgs } from "node:util"
import { Clock, Console, Effect, Layer, Redacted } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { MessageSearch, type SearchQuery } from "../../src/chat/MessageSearch.ts"
import { Settings } from "../../src/Settings.ts"
import { makeTalk, wordOf } from "./searchData.ts"

const { values } = parseArgs({
  options: { messages: { type: "string", default: "100000" }, server: { type: "boolean", default: false } }
})
const total = Number(values.messages)
const rounds = 60

/** Milliseconds. */
const timed = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const start = yield* Clock.currentTimeNanos
  const result = yield* effect
  return { result, millis: Number((yield* Clock.currentTimeNanos) - start) / 1e6 }
})

const at = (samples: ReadonlyArray<number>, share: number): string =>
  (samples.toSorted((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? 0).toFixed(1)

const excerpts = { limit: 6, chars: 500 }

/** Where messages lie in time: the clock of this run. */
const timesOf = Effect.fnUntraced(function* (id: string) {
  const { messages } = yield* ChatRepo
  const middle = yield* messages(id, { after: Math.floor(total / 2), limit: 1_000 })
  return { fromTime: middle[0]?.createdAt ?? 0, toTime: middle.at(-1)?.createdAt ?? 0 }
})

const kinds = (times: { readonly fromTime: number; readonly toTime: number }) => {
  const rare = (i: number) => wordOf(20_000 + 37 * i)
  const middling = (i: number) => wordOf(400 + 7 * i)
  const common = (i: number) => wordOf(i % 20)
  const early = (i: number) => ({ from: 1_000 * (i % 40), to: 1_000 * (i % 40) + 500 })
  return {
    "rare word": (i) => ({ words: rare(i) }),
    "middling word": (i) => ({ words: middling(i) }),
    "common word": (i) => ({ words: common(i) }),
    "3 common words": (i) => ({ words: `${common(i)} ${common(i + 3)} ${common(i + 7)}` }),
    "phrase of common words": (i) => ({ words: `${common(i)} ${common(i + 1)}` }),
    "phrase of middling words": (i) => ({ words: `${middling(i)} ${middling(i + 1)}` }),
    "8 words of all kinds": (i) => ({
      words: [
        rare(i),
        rare(i + 9),
        middling(i),
        middling(i + 5),
        middling(i + 9),
        common(i),
        common(i + 2),
        wordOf(60)
      ].join(" ")
    }),
    "no such word": (i) => ({ words: `zzz${i}` }),
    "common word, 500 messages": (i) => ({ words: common(i), ...early(i) }),
    "common word, a time": (i) => ({ words: common(i), ...times }),
    "common word, one tool": (i) => ({ words: common(i), tool: "Edit" }),
    "rare word, one tool": (i) => ({ words: middling(i), tool: "Edit" }),
    "common word, one agent": (i) => ({ words: common(i), agent: `T${i}` }),
    "agent alone": (i) => ({ agent: `T${i}` }),
    "tool alone": () => ({ tool: "Write" }),
    "time alone": () => times,
    "range alone": early,
    punctuation: () => ({ words: "=>" })
  } satisfies Record<string, (i: number) => Partial<SearchQuery>>
}

const fill = Effect.fnUntraced(function* (id: string) {
  const { append } = yield* ChatRepo
  const talk = makeTalk()
  const batch = 500
  for (let stored = 0; stored < total; stored += batch) yield* append(id, talk(batch).slice(0, batch))
})

const appended = 400

/** Milliseconds of single appends of two messages, and of processor time a message, what follows in the background included. */
const appends = Effect.gen(function* () {
  const { append, create } = yield* ChatRepo
  const { id } = yield* create({})
  const talk = makeTalk(9)
  const samples: Array<number> = []
  const before = process.cpuUsage()
  for (let i = 0; i < appended; i++) {
    samples.push((yield* timed(append(id, talk(2).slice(0, 2)))).millis)
    yield* Effect.sleep("10 millis")
  }
  yield* Effect.sleep("4 seconds")
  const { system, user } = process.cpuUsage(before)
  return { samples, processor: (system + user) / 1_000 / (2 * appended) }
})

const appendText = ({ processor, samples }: Effect.Success<typeof appends>): string =>
  `p50 ${at(samples, 0.5)} ms, p99 ${at(samples, 0.99)} ms, ${processor.toFixed(2)} ms of processor time a message`

const measure = Effect.gen(function* () {
  const { search } = yield* MessageSearch
  const repo = yield* ChatRepo
  const { id } = yield* repo.create({})
  const stored = yield* timed(fill(id))
  yield* Console.log(`stored ${total} messages in ${(stored.millis / 1000).toFixed(1)} s while the index follows`)
  const first = yield* timed(search(id, { words: wordOf(500), ...excerpts }))
  yield* Console.log(`first search ${first.millis.toFixed(0)} ms, ${first.result.unsearched} messages not indexed yet`)
  let waits = 0
  const caught = yield* timed(
    Effect.gen(function* () {
      while ((yield* search(id, { words: wordOf(500), ...excerpts })).unsearched > 0) waits++
    })
  )
  yield* Console.log(`indexed ${(caught.millis / 1000).toFixed(1)} s later, asked ${waits} times meanwhile`)
  const rows: Array<object> = []
  for (const [name, of] of Object.entries(kinds(yield* timesOf(id)))) {
    const samples: Array<number> = []
    let found = 0
    const before = process.cpuUsage()
    for (let i = 0; i < rounds; i++) {
      const { millis, result } = yield* timed(search(id, { ...of(i), ...excerpts }))
      samples.push(millis)
      found += result.found.length
    }
    const { system, user } = process.cpuUsage(before)
    const cpu = ((system + user) / 1_000 / rounds).toFixed(1)
    rows.push({
      search: name,
      "processor ms": cpu,
      "lowest ms": at(samples, 0),
      "p50 ms": at(samples, 0.5),
      "p99 ms": at(samples, 0.99),
      found: found / rounds
    })
  }
  yield* Console.table(rows)
})

const settings = Settings.layerWith({})

const run = <E>(name: string, database: Layer.Layer<Layer.Success<typeof Database.layerMemory>, E>) =>
  Effect.gen(function* () {
    yield* Console.log(`\n${name}`)
    const repo = ChatRepo.layerNoDeps.pipe(Layer.provideMerge(database))
    const alone = yield* Effect.provide(appends, repo)
    const searched = MessageSearch.layer.pipe(Layer.provideMerge(repo), Layer.provide(settings))
    yield* Effect.gen(function* () {
      const indexed = yield* appends
      yield* Console.log(`one append of two messages: ${appendText(alone)}`)
      yield* Console.log(`the same, indexed in the background: ${appendText(indexed)}`)
      yield* measure
    }).pipe(Effect.provide(searched))
  })

const main = Effect.gen(function* () {
  if (!values.server) yield* run("embedded", Database.layerMemory)
  const url = process.env.DATABASE_URL
  if (url !== undefined && url !== "") yield* run("Postgres", Database.layerPostgres(Redacted.make(url)))
})

await Effect.runPromise(main)
