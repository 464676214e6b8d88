import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import {
  blocksOf,
  Content,
  ContentBlock,
  hasToolResult,
  isContentBlock,
  isMessage,
  isText,
  isThinking,
  isToolResult,
  isToolUse,
  Message,
  startsTurn
} from "../../src/domain/Message.ts"
import { MessagesRequest } from "../../src/domain/MessagesRequest.ts"

const decodes = (schema: Schema.ConstraintDecoder<unknown>, value: unknown): boolean =>
  Exit.isSuccess(Schema.decodeUnknownExit(schema)(value))

/** Blocks as the API may send them tomorrow: any type, any other fields, nested as deep as one likes. */
const openBlock = Schema.Struct({
  type: Schema.String.check(Schema.makeFilter((type) => !["text", "tool_use", "tool_result"].includes(type))),
  data: Schema.Json,
  cache_control: Schema.Json,
  "": Schema.Json
})
const extra = Schema.Record(Schema.String, Schema.Json)

describe("open blocks", () => {
  it.prop("survive a round trip byte for byte, as the very same object", [openBlock, extra], ([block, more]) => {
    const text = JSON.stringify({ ...more, ...block })
    const parsed: unknown = JSON.parse(text)
    const decoded = Schema.decodeUnknownSync(ContentBlock)(parsed)
    assert.strictEqual(decoded, parsed)
    assert.strictEqual(JSON.stringify(Schema.encodeSync(ContentBlock)(decoded)), text)
  })

  it.prop("survive inside a message through the JSON codec", [Schema.Array(openBlock), extra], ([blocks, more]) => {
    const text = JSON.stringify({ ...more, role: "assistant", content: blocks })
    const codec = Schema.fromJsonString(Schema.toCodecJson(Message))
    assert.strictEqual(Schema.encodeSync(codec)(Schema.decodeUnknownSync(codec)(text)), text)
  })

  it.prop("survive in a request with fields nobody knows", [Schema.Array(openBlock), extra], ([blocks, more]) => {
    const body = { ...more, model: "m", max_tokens: 1, messages: [{ role: "user", content: blocks, ...{ later: 1 } }] }
    const text = JSON.stringify(body)
    const codec = Schema.fromJsonString(Schema.toCodecJson(MessagesRequest))
    assert.strictEqual(Schema.encodeSync(codec)(Schema.decodeUnknownSync(codec)(text)), text)
  })

  it("keep key order, numbers, escapes and unknown fields of known blocks", () => {
    const texts = [
      '{"text":"a\\u2028b\\ud83d\\ude00","type":"text","citations":null,"cache_control":{"ttl":"1h","type":"ephemeral"}}',
      '{"type":"tool_use","id":"1","name":"x","input":{"b":1,"a":[1e-7,-0.5,12345678901234]},"caller":{"type":"direct"}}',
      '{"type":"tool_result","tool_use_id":"1","content":[{"type":"hologram","x":{}}],"is_error":false}',
      '{"type":"thinking","thinking":"","signature":"c2ln"}'
    ]
    for (const text of texts) {
      const block = Schema.decodeUnknownSync(ContentBlock)(JSON.parse(text))
      assert.strictEqual(JSON.stringify(block), JSON.stringify(JSON.parse(text)))
    }
  })
})

describe("what is no block", () => {
  const wrong: ReadonlyArray<unknown> = [
    null,
    undefined,
    "text",
    [],
    [{ type: "text", text: "x" }],
    {},
    { type: 1 },
    { type: "text" },
    { type: "text", text: 1 },
    { type: "tool_use", id: "1" },
    { type: "tool_use", name: "x" },
    { type: "tool_result" },
    { type: "tool_result", tool_use_id: "1", content: 1 },
    { type: "tool_result", tool_use_id: "1", content: [{ type: "text" }] }
  ]
  for (const value of wrong) {
    it(`${JSON.stringify(value)} is refused`, () => {
      assert.isFalse(isContentBlock(value))
      assert.isFalse(decodes(ContentBlock, value))
      assert.isFalse(decodes(Content, [value]))
    })
  }

  it("a block type that is a name of Object.prototype is only an unknown type", () => {
    for (const type of ["constructor", "__proto__", "toString"]) assert.isTrue(isContentBlock({ type }))
  })
})

describe("messages", () => {
  it("have a known role and legal content", () => {
    for (const role of ["user", "assistant", "system"]) assert.isTrue(isMessage({ role, content: "x" }))
    assert.isTrue(isMessage({ role: "user", content: [], timestamp: "now" }))
    for (const role of ["tool", "", null]) assert.isFalse(isMessage({ role, content: "x" }))
    for (const content of [undefined, null, 1, {}, ["x"]]) assert.isFalse(isMessage({ role: "user", content }))
  })

  it("guards tell the blocks apart", () => {
    const text = { type: "text", text: "x" }
    const use = { type: "tool_use", id: "1", name: "x", input: {} }
    const result = { type: "tool_result", tool_use_id: "1" }
    const thought = { type: "redacted_thinking", data: "x" }
    const blocks = [text, use, result, thought]
    assert.deepStrictEqual(blocks.filter(isText), [text])
    assert.deepStrictEqual(blocks.filter(isToolUse), [use])
    assert.deepStrictEqual(blocks.filter(isToolResult), [result])
    assert.deepStrictEqual(blocks.filter(isThinking), [thought])
  })

  it("a turn starts at a user message without tool results", () => {
    const result = { role: "user", content: [{ type: "tool_result", tool_use_id: "1" }] } as const
    assert.isTrue(hasToolResult(result))
    assert.isFalse(startsTurn(result))
    assert.isTrue(startsTurn({ role: "user", content: "go" }))
    assert.isTrue(startsTurn({ role: "user", content: [{ type: "image", source: {} }] }))
    assert.isFalse(startsTurn({ role: "assistant", content: "done" }))
  })

  it("a string is one text block", () => {
    assert.deepStrictEqual(blocksOf("x"), [{ type: "text", text: "x" }])
    const blocks = [{ type: "text", text: "x" }]
    assert.strictEqual(blocksOf(blocks), blocks)
  })
})
