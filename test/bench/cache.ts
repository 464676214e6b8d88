/** What the response cache costs a request: `node test/bench/cache.ts`. */
import { Effect, Option } from "effect"
import { bench, do_not_optimize, run, summary } from "mitata"
import { makeCacheKey } from "../../src/cache/CacheKey.ts"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import type { AssistantMessage, MessagesRequest } from "../../src/domain/MessagesRequest.ts"

const message = (i: number, chars: number) => ({
  role: i % 2 === 0 ? ("user" as const) : ("assistant" as const),
  content: [{ type: "text", text: `${i} ${"lorem ipsum dolor ".repeat(Math.ceil(chars / 18)).slice(0, chars)}` }]
})
const request = (messages: number, chars: number): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 4096,
  system: "You are helpful. ".repeat(60),
  tools: Array.from({ length: 10 }, (_, i) => ({ name: `tool_${i}`, description: "d".repeat(200), input_schema: {} })),
  messages: Array.from({ length: messages }, (_, i) => message(i, chars))
})
const answer: AssistantMessage = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [{ type: "text", text: "x".repeat(2000) }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 500 }
}

const thirty = request(30, 1300)
const fresh = JSON.stringify(thirty)
const small = JSON.stringify(request(30, 200))

summary(() => {
  const key = makeCacheKey()
  bench("key, 30 messages of 1.3 KB, seen before", () => do_not_optimize(key(thirty, "default")))
  bench("key, 30 messages of 1.3 KB, two of them new", function* () {
    yield {
      0: () => ({ ...thirty, messages: [...thirty.messages, message(30, 1300), message(31, 1300)] }),
      bench: (grown: MessagesRequest) => do_not_optimize(key(grown, "default"))
    }
  })
  bench("key, 30 messages of 1.3 KB, fresh objects", function* () {
    yield { 0: () => JSON.parse(fresh), bench: (parsed: MessagesRequest) => do_not_optimize(key(parsed, "default")) }
  })
  bench("key, 30 messages of 200 bytes, fresh objects", function* () {
    yield { 0: () => JSON.parse(small), bench: (parsed: MessagesRequest) => do_not_optimize(key(parsed, "default")) }
  })
  bench("JSON.parse of that 40 KB request, to compare", () => do_not_optimize(JSON.parse(fresh)))
  for (const messages of [100, 10_000, 100_000]) {
    const long = request(messages, 100)
    bench(`key, ${messages} messages, seen before`, () => do_not_optimize(key(long, "default")))
  }
})

await Effect.runPromise(
  Effect.gen(function* () {
    const cache = yield* ResponseCache
    const hit = Effect.suspend(() => cache.lookup(cache.key(thirty, "default")))
    yield* cache.store(cache.key(thirty, "default"), answer)
    bench("hit: key, lookup, 2 KB answer", () => do_not_optimize(Effect.runSync(hit)))
    bench("hit, as a stream's events", () => do_not_optimize(replayEvents(Option.getOrThrow(Effect.runSync(hit)))))
    bench("miss and store", () => do_not_optimize(Effect.runSync(cache.store("k", answer))))
    yield* Effect.promise(() => run({ format: "mitata" }))
  }).pipe(Effect.provide(ResponseCache.layerMemory({ ttlMillis: 3_600_000, maxBytes: 100e6 })))
)
