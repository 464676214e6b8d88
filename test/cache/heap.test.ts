import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { answer } from "./requests.ts"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")
const heap = (): number => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

describe("the bytes that the cache counts", () => {
  const texts: Record<string, (i: number) => string> = {
    "short answers": (i) => `Answer ${i}.`,
    "answers of 2 KB": (i) => `${i} ${"lorem ipsum ".repeat(170)}`,
    "answers beyond Latin-1": (i) => `${i} ${"Привет, мир! ".repeat(100)}`
  }
  for (const [what, text] of Object.entries(texts)) {
    it.effect(`are within a tenth of the heap they take: ${what}`, () =>
      Effect.gen(function* () {
        const cache = yield* ResponseCache
        const before = heap()
        for (let i = 0; i < 8000; i++) {
          const key = cache.key({ model: "m", max_tokens: 1, messages: [{ role: "user", content: `${i}` }] }, "t")
          yield* cache.store(key, answer({ content: [{ type: "text", text: text(i) }] }))
        }
        const taken = heap() - before
        const { bytes, entries } = yield* cache.stats
        assert.strictEqual(entries, 8000)
        assert.approximately(bytes / taken, 1, 0.1, `${bytes} counted, ${taken} taken`)
      }).pipe(Effect.provide(ResponseCache.layerMemory({ ttlMillis: 3_600_000, maxBytes: 1e9 })))
    )
  }
})
