import { readFile } from "node:fs/promises"
import { Console, Data, Effect, Option, Schema } from "effect"
import { type Warmed, Wish } from "../http/ApiCache.ts"

/** As many requests as one call of the service takes on without the caller's patience running out. */
const batch = 20

/** The file cannot be used, or some of its requests had no answer. */
export class NotWarmed extends Data.TaggedError("NotWarmed")<{ readonly message: string }> {}

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
const decodeWish = Schema.decodeUnknownOption(Wish)

const wishOf = (line: string): Option.Option<Wish> =>
  Option.flatMap(decodeJson(line), (json) => Option.orElse(decodeWish(json), () => decodeWish({ request: json })))

interface Numbered {
  readonly line: number
  readonly wish: Wish
}

const read = Effect.fnUntraced(function* (file: string) {
  const text = yield* Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: () => new NotWarmed({ message: `${file} cannot be read. Name a file of JSON Lines.` })
  })
  const wishes: Array<Numbered> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const wish = wishOf(line)
    if (Option.isNone(wish)) {
      return yield* new NotWarmed({ message: `${file}, line ${index + 1}, is no request: nothing was asked.` })
    }
    wishes.push({ line: index + 1, wish: wish.value })
  }
  return wishes
})

/** Sends the requests of a file in batches and prints what came of them. Fails when one had no answer. */
export const warm = Effect.fnUntraced(function* <E, R>(
  file: string,
  send: (requests: ReadonlyArray<Wish>) => Effect.Effect<typeof Warmed.Type, E, R>
) {
  const wishes = yield* read(file)
  let asked = 0
  let known = 0
  const failed: Array<string> = []
  for (let at = 0; at < wishes.length; at += batch) {
    const some = wishes.slice(at, at + batch)
    const told = yield* send(some.map(({ wish }) => wish))
    asked += told.asked
    known += told.known
    failed.push(...told.failed.map(({ detail, index }) => `line ${some[index]?.line}: ${detail}`))
  }
  yield* Console.log(`${asked} asked, ${known} known already, ${failed.length} without an answer.`)
  const [first] = failed
  if (first !== undefined) return yield* new NotWarmed({ message: `${file}, ${first}` })
})
