import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import { assistant, models, now, old, prose, request, user, withEstimator } from "./support.ts"

const call = (id: string, input: unknown = { command: "ls -la" }): ContentBlock => ({
  type: "tool_use",
  id,
  name: "Bash",
  input
})
const result = (id: string, content: unknown = "total 0"): ContentBlock => ({
  type: "tool_result",
  tool_use_id: id,
  content
})

describe("one message", () => {
  it.effect("is read once: content is not looked at again", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        let looked = 0
        const message = {
          role: "user" as const,
          get content() {
            looked++
            return prose
          }
        }
        const first = estimator.message(message, now)
        const afterFirst = looked
        assert.deepStrictEqual(estimator.message(message, now), first)
        estimator.message(message, old)
        for (let i = 0; i < 3; i++) estimator.estimate(request([message]))
        assert.strictEqual(looked, afterFirst)
      })
    )
  )

  it.effect("is about what such text takes: 4.3 characters a token with the old tokenizer, 3.3 with the new one", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const text = prose.repeat(20)
        assert.closeTo(text.length / estimator.message(user(text), old).tokens, 4.3, 0.4)
        assert.closeTo(text.length / estimator.message(user(text), now).tokens, 3.2, 0.4)
      })
    )
  )

  it.effect("costs the same as an equal one, and as a string what it costs as a block", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const blocks = user([{ type: "text", text: prose }])
        assert.deepStrictEqual(estimator.message(user(prose), now), estimator.message(blocks, now))
        assert.deepStrictEqual(estimator.message(structuredClone(blocks), now), estimator.message(blocks, now))
      })
    )
  )

  it.effect("a compaction block costs its text: nobody reads the signature", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const block = { type: "compaction", content: prose, signature: "s".repeat(4_000), encrypted_content: null }
        assert.deepStrictEqual(estimator.message(assistant([block]), now), estimator.message(assistant(prose), now))
      })
    )
  )

  it.effect("breakpoints cost nothing", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const marked = { cache_control: { type: "ephemeral" } }
        for (const block of [{ type: "text", text: prose }, call("a"), { type: "novelty", words: prose }]) {
          assert.deepStrictEqual(
            estimator.message(user([{ ...block, ...marked }]), now),
            estimator.message(user([block]), now)
          )
        }
      })
    )
  )

  it.effect("empty content is small, a megabyte is large, and neither fails", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        for (const model of models) {
          for (const content of ["", [], [result("a", "")], [result("a", [])]]) {
            assert.isBelow(estimator.message(user(content), model).tokens, 40)
          }
          const large = estimator.message(user("lorem ipsum 42\n".repeat(70_000)), model)
          assert.isAbove(large.tokens, 200_000)
          assert.isAbove(large.upperBound, large.tokens)
        }
      })
    )
  )

  it.effect("blocks of unknown type count as the JSON they are", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const block = { type: "novelty", words: prose, nested: { list: [1, 2, { deep: prose }] } }
        const json = estimator.text(JSON.stringify(block), now).tokens
        assert.closeTo(estimator.message(user([block]), now).tokens, json, 2)
        assert.closeTo(estimator.message(user([result("a", [block])]), now).tokens, json, 20)
      })
    )
  )

  it.effect("lone surrogates, controls and other scripts have a price", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        for (const model of models) {
          assert.isAbove(estimator.text("\ud83d\ud83d\udc00", model).tokens, 0)
          assert.isAbove(estimator.text("\u0000\u001b[0m\u007f", model).tokens, 0)
          const ideographs = estimator.text("你好世界".repeat(100), model).tokens
          assert.isAtLeast(ideographs, 300)
          assert.isAtMost(ideographs, 600)
        }
      })
    )
  )

  it.effect("a random key is not taken for a word", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const key = Array.from({ length: 3_000 }, (_, i) => String.fromCharCode(97 + ((i * i * 7 + i * 31) % 26))).join(
          ""
        )
        for (const model of models) assert.isAbove(estimator.text(key, model).tokens, 1_200)
      })
    )
  )

  it.effect("images go by their size, as far as each generation shows it", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const png = (width: number, height: number): Message => {
          const header = Buffer.alloc(24)
          Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]).copy(
            header
          )
          header.writeUInt32BE(width, 16)
          header.writeUInt32BE(height, 20)
          const data = Buffer.concat([header, Buffer.alloc(500)]).toString("base64")
          return user([{ type: "image", source: { type: "base64", media_type: "image/png", data } }])
        }
        assert.strictEqual(estimator.message(png(750, 100), now).tokens, 100)
        assert.strictEqual(estimator.message(png(4_000, 4_000), old).tokens, 1_600)
        assert.strictEqual(estimator.message(png(4_000, 4_000), now).tokens, 4_784)
        const unseen = user([{ type: "image", source: { type: "url", url: "https://example.com/a.png" } }])
        assert.isAbove(estimator.message(unseen, now).tokens, 1_000)
      })
    )
  )

  it.effect("thinking takes more than its summary, or what its signature holds", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const text = estimator.text(prose, now).tokens
        const shown = assistant([{ type: "thinking", thinking: prose, signature: "A".repeat(4_000) }])
        assert.isAbove(estimator.message(shown, now).tokens, 1.5 * text)
        const signed = (n: number) => assistant([{ type: "thinking", thinking: "", signature: "A".repeat(n) }])
        assert.isAbove(estimator.message(signed(8_000), now).tokens, estimator.message(signed(2_000), now).tokens)
        assert.isAbove(estimator.message(assistant([{ type: "thinking", thinking: "" }]), now).tokens, 100)
      })
    )
  )
})

const Text = Schema.String
const Texts = Schema.Array(Schema.String)

describe("as properties", () => {
  it.effect.prop("longer text never takes fewer tokens", [Text, Text], ([text, more]) =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        for (const model of models) {
          const [short, long] = [estimator.text(text, model), estimator.text(text + more, model)]
          assert.isAtLeast(long.tokens, short.tokens)
          assert.isAtLeast(long.upperBound, short.upperBound)
          assert.isAtLeast(short.upperBound, short.tokens)
        }
      })
    )
  )

  it.effect.prop("a prompt takes what its messages take", [Texts], ([texts]) =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const messages = texts.map((text, i) => (i % 2 === 0 ? user(text) : assistant([{ type: "text", text }])))
        const sum = messages.reduce((total, message) => total + estimator.message(message, now).tokens, 0)
        assert.closeTo(estimator.estimate(request(messages)).tokens, sum, 1 + messages.length / 2)
      })
    )
  )

  it.effect.prop("any JSON can be content", [Schema.Json], ([json]) =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const messages = [user([{ type: "novelty", json }]), assistant([call("a", json)]), user([result("a", json)])]
        for (const message of messages) assert.isAtLeast(estimator.message(message, old).tokens, 0)
        assert.isAtLeast(estimator.estimate(request(messages, { tools: [{ name: "x", json }] })).tokens, 0)
      })
    )
  )
})

describe("a whole prompt", () => {
  const messages = [user("What is in this folder?")]

  it.effect("holds system prompt and tools, and the prompt that upstream adds for tools", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const bare = estimator.estimate(request(messages)).tokens
        const system = estimator.estimate(request(messages, { system: prose })).tokens
        assert.closeTo(system - bare, estimator.text(prose, now).tokens, 2)
        const tool = { name: "ls", description: prose, input_schema: { type: "object" } }
        const tools = estimator.estimate(request(messages, { tools: [tool] })).tokens
        const json = estimator.text(JSON.stringify(tool), now).tokens
        assert.closeTo(tools - bare, json + 286, 15)
        const forced = estimator.estimate(request(messages, { tools: [tool], tool_choice: { type: "any" } })).tokens
        assert.strictEqual(forced - tools, 120)
        const bash = estimator.estimate(request(messages, { tools: [{ name: "bash", type: "bash_20250124" }] })).tokens
        assert.strictEqual(bash - bare, 286 + 325)
        assert.strictEqual(estimator.estimate(request(messages, { tools: [] })).tokens, bare)
      })
    )
  )

  it.effect("leaves out calls that were interrupted: the API would have refused them", () =>
    withEstimator((estimator) =>
      Effect.sync(() => {
        const answered = [user("go"), assistant([call("a")]), user([result("a")]), user("next")]
        const text = assistant([{ type: "text", text: "I look." }, call("a"), call("b", { command: prose })])
        const dangling = [user("go"), text, user([result("a")]), user("next")]
        const kept = assistant([{ type: "text", text: "I look." }, call("a")])
        const without = [user("go"), kept, user([result("a")]), user("next")]
        const tokens = (all: ReadonlyArray<Message>) => estimator.estimate(request(all)).tokens
        assert.strictEqual(tokens(dangling), tokens(without))
        const sum = answered.reduce((total, message) => total + estimator.message(message, now).tokens, 0)
        assert.closeTo(tokens(answered), sum, 3)
        // The last message may still be answered.
        assert.isAbove(tokens([user("go"), text]), tokens([user("go"), kept]))
      })
    )
  )
})
