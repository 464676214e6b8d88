import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { blocksOf, type Message } from "../../src/domain/Message.ts"
import { simulatedModel } from "../../src/testing/simulator/SimulatedModel.ts"
import { loadTokenizer, scaled, type Tokenizer } from "../../src/testing/simulator/Tokenizer.ts"

const data = new URL("../../../shared/data/", import.meta.url)
const lines = (name: string) => readFileSync(new URL(name, data), "utf8").trimEnd().split("\n")

interface Delta {
  readonly conversation: string
  readonly fromIndex: number
  readonly toIndex: number
  readonly model: string
  readonly deltaTokens: number
  readonly usable: boolean
}

const counter = (tokenizer: Tokenizer) => (message: Message, scale: number) =>
  blocksOf(message.content).reduce((sum, block) => sum + scaled(tokenizer.block(block), scale), 0)

describe("the simulator's tokenizer", () => {
  it.effect("counts special tokens as text, and long runs without choking", () =>
    Effect.gen(function* () {
      const { text } = yield* loadTokenizer
      assert.isAbove(text("<|endoftext|>"), 1)
      const start = performance.now()
      assert.isAbove(text("a".repeat(200_000)), 10_000)
      assert.isAbove(text(" ".repeat(200_000)), 1_000)
      // Quadratic in the length of the run, this would be a minute.
      assert.isBelow(performance.now() - start, 5_000)
    })
  )

  it.effect("knows a block by its content, whatever its markers", () =>
    Effect.gen(function* () {
      const { block } = yield* loadTokenizer
      const plain = { type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "one" }] }
      const marked = { ...plain, content: [{ type: "text", text: "one", cache_control: { type: "ephemeral" } }] }
      assert.strictEqual(block(marked).hash, block(plain).hash)
      assert.notStrictEqual(block({ ...plain, content: [{ type: "text", text: "two" }] }).hash, block(plain).hash)
      assert.strictEqual(block(plain), block(plain))
    })
  )

  it.effect.skipIf(!existsSync(data))("is within a tenth of what upstream counted, in the median of real steps", () =>
    Effect.gen(function* () {
      const count = counter(yield* loadTokenizer)
      const conversations = new Map<string, ReadonlyArray<Message>>()
      const messagesOf = (name: string) => {
        const known = conversations.get(name) ?? lines(`conversations/${name}.jsonl`).map((line) => JSON.parse(line))
        conversations.set(name, known)
        return known
      }
      const deltas: ReadonlyArray<Delta> = lines("usage_deltas.jsonl").map((line) => JSON.parse(line))
      const errors = deltas
        .filter(({ usable }) => usable)
        .map(({ conversation, deltaTokens, fromIndex, model, toIndex }) => {
          const scale = simulatedModel(model)?.scale ?? 1
          const messages = messagesOf(conversation).slice(fromIndex, toIndex)
          const counted = messages.reduce((sum, message) => sum + count(message, scale), 0)
          return Math.abs(counted - deltaTokens) / deltaTokens
        })
      const median = errors.sort((a, b) => a - b)[errors.length >> 1] ?? 1
      assert.isAbove(errors.length, 1_000)
      assert.isBelow(median, 0.1)
    })
  )
})
