import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Console, Effect, Layer, Redacted } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"

/** `node test/bench/storage.ts [postgres://…]`: how fast conversations are stored and read. Embedded without an address. */
const [url] = process.argv.slice(2)
const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"))

// A factory, because the layer is to be built more than once.
const repo = () =>
  Layer.provide(
    ChatRepo.layerNoDeps,
    url === undefined ? Database.layerEmbedded(join(directory, "db")) : Database.layerPostgres(Redacted.make(url))
  )

const message = (i: number) => ({ role: "user" as const, content: `${i} ${"lorem ipsum ".repeat(80)}`, tokens: 250 })

/** Milliseconds. */
const timed = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const start = yield* Clock.currentTimeNanos
  yield* effect
  return Number((yield* Clock.currentTimeNanos) - start) / 1e6
})

const percentiles = (samples: ReadonlyArray<number>): string => {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (p: number) => sorted[Math.floor(sorted.length * p)]?.toFixed(2)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
}

const appends = Effect.fnUntraced(function* (name: string, concurrency: number) {
  const { append, create } = yield* ChatRepo
  const ids = yield* Effect.forEach(Array.from({ length: concurrency }), () => Effect.map(create({}), ({ id }) => id))
  const each = 3_000 / concurrency
  const writer = (id: string) =>
    Effect.forEach(Array.from({ length: each }), (_, i) => append(id, [message(i)]), { discard: true })
  const millis = yield* timed(Effect.forEach(ids, writer, { concurrency, discard: true }))
  yield* Console.log(`${name}: ${Math.round((each * concurrency * 1000) / millis)}/s`)
})

const long = Effect.gen(function* () {
  const { append, create, history, messages } = yield* ChatRepo
  const { id } = yield* create({})
  const batch = Array.from({ length: 2_000 }, (_, i) => message(i))
  const millis = yield* timed(Effect.forEach(Array.from({ length: 50 }), () => append(id, batch), { discard: true }))
  yield* Console.log(`batches of 2,000: ${Math.round(1e8 / millis)} messages/s`)
  const reads = {
    "history, 50,000 tokens (200 messages) of 100,000": history(id, { maxTokens: 50_000, limit: 300 }),
    "history, 300 messages of 100,000": history(id, { maxTokens: 1_000_000, limit: 300 }),
    "page of 50 in the middle of 100,000": messages(id, { before: 50_000, limit: 50 }),
    "append to 100,000": append(id, [message(0)])
  }
  for (const [name, read] of Object.entries<Effect.Effect<unknown, { readonly _tag: string }>>(reads)) {
    const samples: Array<number> = []
    for (let i = 0; i < 300; i++) samples.push(yield* timed(read))
    yield* Console.log(`${name}: ${percentiles(samples)}`)
  }
})

const open = (name: string) =>
  Effect.gen(function* () {
    const millis = yield* timed(Effect.scoped(Layer.build(repo())))
    yield* Console.log(`${name}, and close: ${Math.round(millis)} ms`)
  })

const all = Effect.gen(function* () {
  yield* open("open fresh")
  for (let i = 0; i < 3; i++) yield* open("open again")
  yield* Effect.gen(function* () {
    yield* appends("appends, one writer", 1)
    yield* appends("appends, 16 writers", 16)
    yield* long
    yield* Console.log(`RSS ${Math.round(process.memoryUsage.rss() / 1e6)} MB`)
  }).pipe(Effect.provide(repo()))
  yield* open("open again with 106,000 messages")
})

await Effect.runPromise(all).finally(() => rmSync(directory, { recursive: true, force: true }))
