import { writeSync } from "node:fs"
import { Effect, Layer, Redacted } from "effect"
import { ChatRepo } from "../../../src/chat/ChatRepo.ts"
import { Database } from "../../../src/chat/Database.ts"

/**
 * A process of its own: append.ts DIRECTORY-OR-URL CONVERSATION [APPENDS]. Prints "open", then the numbers of each append
 * once it is acknowledged; goes on for ever without APPENDS.
 */
const [place = "", id = "", appends] = process.argv.slice(2)

const say = (line: string) => Effect.sync(() => void writeSync(1, `${line}\n`))

const appendOne = Effect.fnUntraced(function* (repo: ChatRepo["Service"], i: number) {
  const messages = Array.from({ length: (i % 3) + 1 }, (_, part) => ({
    role: "user" as const,
    content: `${process.pid} ${i} ${part} ${"x".repeat((i % 7) * 400)}`,
    tokens: 1
  }))
  const stored = yield* repo.append(id, messages)
  yield* say(stored.map((m) => m.seq).join(" "))
})

const work = Effect.gen(function* () {
  const repo = yield* ChatRepo
  yield* repo.create({ id })
  yield* say("open")
  const numbers = appends === undefined ? Number.MAX_SAFE_INTEGER : Number(appends)
  let next = 0
  const writer = Effect.whileLoop({
    while: () => next < numbers,
    body: () => appendOne(repo, next++),
    step: () => {}
  })
  yield* Effect.all([writer, writer, writer, writer], { concurrency: 4 })
})

const database = place.startsWith("postgres:")
  ? Database.layerPostgres(Redacted.make(place))
  : Database.layerEmbedded(place)

const failed = await Effect.runPromise(
  work.pipe(
    Effect.provide(Layer.provide(ChatRepo.layerNoDeps, database)),
    Effect.as(undefined),
    Effect.catch((error) => Effect.as(say(`${error._tag}: ${error.message}`), error))
  )
)
process.exitCode = failed === undefined ? 0 : 3
