import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"

const request: MessagesRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "?" }]
}
const usage = { input_tokens: 3, cache_read_input_tokens: 40, cache_creation_input_tokens: 7, output_tokens: 5 }
const transcript = [
  { role: "user" as const, content: "?" },
  { role: "assistant" as const, content: "one", usage, id: "msg_1", model: "claude-opus-4-6", stopReason: "end_turn" },
  { role: "assistant" as const, content: [{ type: "tool_use", id: "t", name: "x", input: { a: 1 } }] },
  { role: "user" as const, content: [{ type: "tool_result", tool_use_id: "t" }] }
]

describe("Claude.layerRecorded", () => {
  it.effect("answers with the assistant messages in order, then says that they are used up", () =>
    Effect.gen(function* () {
      const claude = yield* Claude
      assert.strictEqual(claude.kind, "recorded")
      assert.strictEqual(yield* claude.countTokens(request), 50)
      const first = yield* claude.send(request)
      assert.deepStrictEqual(first.message.content, [{ type: "text", text: "one" }])
      assert.deepStrictEqual(
        [first.message.id, first.message.model, first.message.stop_reason, first.message.usage],
        ["msg_1", "claude-opus-4-6", "end_turn", usage]
      )
      const second = yield* claude.send(request)
      assert.deepStrictEqual([second.message.stop_reason, second.message.model], ["tool_use", request.model])
      const { reason } = yield* Effect.flip(claude.send(request))
      assert.strictEqual(reason._tag === "Rejected" && reason.status, 410)
    }).pipe(Effect.provide(Claude.layerRecorded(transcript)))
  )

  it.effect("streams them as well-formed events", () =>
    Effect.gen(function* () {
      const claude = yield* Claude
      yield* claude.send(request)
      const { events } = yield* claude.stream(request)
      const seen = yield* Stream.runCollect(events)
      assert.deepStrictEqual(
        seen.map((event) => event.type),
        [
          "message_start",
          "content_block_start",
          "content_block_delta",
          "content_block_delta",
          "content_block_stop",
          "message_delta",
          "message_stop"
        ]
      )
      assert.deepStrictEqual(seen[3]?.delta, { type: "input_json_delta", partial_json: '{"a":1}' })
    }).pipe(Effect.scoped, Effect.provide(Claude.layerRecorded(transcript)))
  )
})
