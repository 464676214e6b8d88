import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema, Stream } from "effect"
import { collect, makeCollector } from "../../src/domain/AnswerCollector.ts"
import { replay, replayEvents } from "../../src/domain/AnswerReplay.ts"
import type { AssistantMessage, StreamEvent } from "../../src/domain/MessagesRequest.ts"

const Citation = Schema.Struct({ type: Schema.Literal("char_location"), cited_text: Schema.String })
const Block = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("text"),
    text: Schema.String,
    citations: Schema.NullOr(Schema.Array(Citation))
  }),
  Schema.Struct({ type: Schema.Literal("thinking"), thinking: Schema.String, signature: Schema.String }),
  Schema.Struct({ type: Schema.Literal("thinking"), thinking: Schema.String }),
  Schema.Struct({ type: Schema.Literal("redacted_thinking"), data: Schema.String }),
  Schema.Struct({
    type: Schema.Literals(["tool_use", "server_tool_use", "mcp_tool_use"]),
    id: Schema.String,
    name: Schema.String,
    input: Schema.Record(
      Schema.Literals(["path", "text", "cache_control"]),
      Schema.Union([Schema.String, Schema.Int, Schema.Null])
    )
  }),
  Schema.Struct({
    type: Schema.Literal("compaction"),
    content: Schema.NullOr(Schema.String),
    encrypted_content: Schema.NullOr(Schema.String),
    signature: Schema.optionalKey(Schema.NullOr(Schema.String))
  }),
  Schema.Struct({ type: Schema.Literal("from_the_future"), text: Schema.String, payload: Schema.Array(Schema.Int) })
])
const Answer = Schema.Struct({
  id: Schema.String,
  type: Schema.Literal("message"),
  role: Schema.Literal("assistant"),
  model: Schema.String,
  content: Schema.Array(Block),
  stop_reason: Schema.NullOr(Schema.Literals(["end_turn", "tool_use", "refusal", "new_reason"])),
  stop_sequence: Schema.optionalKey(Schema.NullOr(Schema.String)),
  stop_details: Schema.optionalKey(Schema.NullOr(Schema.Struct({ category: Schema.String }))),
  container: Schema.optionalKey(Schema.NullOr(Schema.Struct({ id: Schema.String }))),
  usage: Schema.Struct({
    input_tokens: Schema.Natural,
    output_tokens: Schema.optionalKey(Schema.NullOr(Schema.Natural)),
    cache_read_input_tokens: Schema.optionalKey(Schema.NullOr(Schema.Natural)),
    cache_creation: Schema.optionalKey(Schema.NullOr(Schema.Struct({ ephemeral_1h_input_tokens: Schema.Natural }))),
    server_tool_use: Schema.optionalKey(Schema.Struct({ web_search_requests: Schema.Natural })),
    service_tier: Schema.optionalKey(Schema.String)
  })
})

const start = (usage: object): StreamEvent => ({
  type: "message_start",
  message: {
    id: "m",
    type: "message",
    role: "assistant",
    model: "claude-opus-5",
    content: [],
    stop_reason: null,
    usage
  }
})
const delta = (index: number, fields: object): StreamEvent => ({ type: "content_block_delta", index, delta: fields })
const open = (index: number, content_block: object): StreamEvent => ({
  type: "content_block_start",
  index,
  content_block
})

describe("replay and collect", () => {
  it.prop(
    "collect gives back what replay took apart",
    [Arbitrary.schema(Answer)],
    ([generated]) => {
      // Generated records have no prototype; the wire gives plain objects.
      const answer: AssistantMessage = JSON.parse(JSON.stringify(generated))
      const collected = collect(replayEvents(answer))
      assert.deepStrictEqual<unknown>(collected.message, answer)
      assert.isTrue(collected.complete && collected.faithful)
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "replay is well-formed: start, blocks in order and closed, delta, stop",
    [Arbitrary.schema(Answer)],
    ([answer]) => {
      const types = replayEvents(answer).map((event) => event.type)
      assert.strictEqual(types[0], "message_start")
      assert.deepStrictEqual(types.slice(-2), ["message_delta", "message_stop"])
      const inner = types.slice(1, -2).join(" ")
      assert.match(inner, /^((content_block_start ?)(content_block_delta ?)*(content_block_stop ?))*$/)
      assert.lengthOf(
        types.filter((type) => type === "content_block_start"),
        answer.content.length
      )
    }
  )

  it.effect("replay is a stream of the same events", () =>
    Effect.gen(function* () {
      const [answer] = [
        collect([start({ input_tokens: 1, output_tokens: 1 }), { type: "message_stop" }]).message as AssistantMessage
      ]
      assert.deepStrictEqual(yield* Stream.runCollect(replay(answer)), [...replayEvents(answer)])
    })
  )
})

describe("collect", () => {
  it("overwrites cumulative counters and never with null", () => {
    const { message } = collect([
      start({ input_tokens: 10, cache_read_input_tokens: 7, output_tokens: 2, service_tier: "standard" }),
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5, input_tokens: null } },
      { type: "message_delta", delta: { stop_reason: null }, usage: { output_tokens: 9, input_tokens: 40 } },
      { type: "message_stop" }
    ])
    assert.deepStrictEqual<unknown>(message?.usage, {
      input_tokens: 40,
      cache_read_input_tokens: 7,
      output_tokens: 9,
      service_tier: "standard"
    })
    assert.strictEqual(message?.stop_reason, "end_turn")
  })

  it("a stream that broke off is incomplete, and what came is there", () => {
    const { complete, message, outputChars } = collect([
      start({ input_tokens: 10, output_tokens: 2 }),
      open(0, { type: "text", text: "" }),
      delta(0, { type: "text_delta", text: "Hel" }),
      delta(0, { type: "text_delta", text: "lo" }),
      { type: "content_block_stop", index: 0 },
      open(1, { type: "tool_use", id: "t", name: "run", input: {} }),
      delta(1, { type: "input_json_delta", partial_json: '{"com' })
    ])
    assert.isFalse(complete)
    assert.strictEqual(outputChars, 10)
    assert.strictEqual(message?.stop_reason, null)
    assert.deepStrictEqual<unknown>(message?.content, [
      { type: "text", text: "Hello" },
      { type: "tool_use", id: "t", name: "run", input: {} }
    ])
  })

  it("an error event makes it incomplete; a ping changes nothing", () => {
    const events = [start({ input_tokens: 1 }), { type: "ping" }, { type: "message_stop" }]
    assert.isTrue(collect(events).complete && collect(events).faithful)
    assert.isFalse(collect([...events, { type: "error", error: { type: "overloaded_error" } }]).complete)
    assert.isFalse(collect([{ type: "message_stop" }]).complete)
  })

  it("unknown events and deltas are tolerated but remembered", () => {
    const whole = [start({ input_tokens: 1 }), open(0, { type: "hologram" }), { type: "message_stop" }]
    assert.isTrue(collect(whole).faithful)
    assert.isFalse(collect([...whole, { type: "new_event" }]).faithful)
    assert.isFalse(collect([...whole, { type: "toString" }]).faithful)
    assert.isFalse(collect([...whole, delta(0, { type: "hologram_delta", depth: 3 })]).faithful)
  })

  it("a signed compaction block comes whole, and its text counts as received", () => {
    const block = { type: "compaction", content: "Summary", encrypted_content: null, signature: "s", tool_changes: [] }
    const events = [start({ input_tokens: 0 }), open(0, block), { type: "content_block_stop", index: 0 }]
    const { faithful, message, outputChars } = collect(events)
    assert.deepStrictEqual<unknown>(message?.content, [block])
    assert.isTrue(faithful)
    assert.strictEqual(outputChars, 7)
    if (message === undefined) return assert.fail("no message")
    assert.notInclude(
      replayEvents(message).map(({ type }) => type),
      "content_block_delta"
    )
  })

  it("the model that served a fallback is the answer's model", () => {
    const { message } = collect([
      start({ input_tokens: 1 }),
      open(0, { type: "fallback", to: { model: "claude-opus-5" } })
    ])
    assert.strictEqual(message?.model, "claude-opus-5")
  })

  it("a snapshot does not change with later events", () => {
    const collector = makeCollector()
    collector.push(start({ input_tokens: 1, output_tokens: 1 }))
    collector.push(open(0, { type: "text", text: "" }))
    const before = collector.collected()
    collector.push(delta(0, { type: "text_delta", text: "more" }))
    assert.deepStrictEqual<unknown>(before.message?.content, [{ type: "text", text: "" }])
  })
})
