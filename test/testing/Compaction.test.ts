import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import { collect } from "../../src/domain/AnswerCollector.ts"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { consumed, fromApi, promptTokens, zero } from "../../src/domain/Usage.ts"
import { callTools, say } from "../../src/testing/simulator/Responder.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { marked, simulated, user, words } from "./simulatorSupport.ts"

const beta = { headers: { "anthropic-beta": "context-1m-2025-08-07,compact-2026-09-04" } }
const assistant = (content: Message["content"]): Message => ({ role: "assistant", content })
const call: ContentBlock = { type: "tool_use", id: "t1", name: "search", input: {} }
const tools = [{ name: "search", description: "Searches", input_schema: { type: "object" } }]

const history: ReadonlyArray<Message> = [
  user("Build the billing page\nwith tests"),
  assistant([{ type: "text", text: "I look first." }, call]),
  user([{ type: "tool_result", tool_use_id: "t1", content: "nothing" }]),
  assistant("It is built.")
]

const compaction = { type: "summarize", instructions: "Summarise.\nKeep these lines:\n- never deploy on Fridays" }

const request = (messages: ReadonlyArray<Message>, more: Readonly<Record<string, unknown>> = {}): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 4_000,
  tools,
  messages,
  ...more
})
const compacting = (more: Readonly<Record<string, unknown>> = {}) => request(history, { compaction, ...more })

const send = (...args: Parameters<(typeof Claude)["Service"]["send"]>) => Claude.use((claude) => claude.send(...args))

const blockOf = Effect.map(send(compacting(), beta), ({ message }): ContentBlock => {
  const [block] = message.content
  if (block === undefined) return assert.fail("no block")
  return block
})

const refusal = (asked: MessagesRequest, options: Parameters<typeof send>[1] = beta) =>
  Effect.map(Effect.flip(send(asked, options)), ({ reason }) => {
    if (reason._tag !== "Rejected") return assert.fail(reason._tag)
    // Upstream's error body.
    const { error } = reason.body as { error: { message: string; details?: { error_code: string } } }
    return { status: reason.status, says: error.message, code: error.details?.error_code }
  })

describe("compaction on demand", () => {
  it.effect("answers with one signed block in the conversation's own words, and nothing else", () =>
    Effect.gen(function* () {
      const { message } = yield* send(compacting(), beta)
      assert.strictEqual(message.stop_reason, "compaction")
      assert.lengthOf(message.content, 1)
      const [block] = message.content
      assert.deepInclude(block, { type: "compaction", encrypted_content: null, tool_changes: [] })
      assert.isString(block?.signature)
      const summary = String(block?.content)
      for (const kept of ["Build the billing page", "search × 1", "It is built.", "never deploy on Fridays"]) {
        assert.include(summary, kept)
      }
      const again = yield* send(compacting(), beta)
      assert.deepStrictEqual(again.message.content, message.content)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("tells its cost in the iterations alone, and bills it", () =>
    Effect.gen(function* () {
      const { message } = yield* send(compacting(), beta)
      assert.deepStrictEqual(fromApi(message.usage), zero)
      const usage = consumed(message.usage)
      const { total } = yield* Simulator.use((simulator) => simulator.bill)
      assert.deepStrictEqual(total.usage, usage)
      const plain = yield* send(request([...history, user("more")]))
      assert.isAbove(usage.output, 20)
      assert.isAbove(promptTokens(usage), promptTokens(fromApi(plain.message.usage)) - 10)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("reads the prompt cache as a request with the same prefix does, and writes none for its instructions", () =>
    Effect.gen(function* () {
      const long = [user([marked(words(3_000))]), assistant("Read."), user("And now?")]
      const first = yield* send(request(long))
      const written = fromApi(first.message.usage).cacheWrite5m
      assert.isAbove(written, 2_000)
      const { message } = yield* send(request([...long, assistant("Done.")], { compaction }), beta)
      const usage = consumed(message.usage)
      assert.strictEqual(usage.cacheRead, written)
      assert.strictEqual(usage.cacheWrite5m, 0)
    }).pipe(Effect.provide(simulated()))
  )

  it.effect("streams the block whole in its start", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const claude = yield* Claude
        const { message } = yield* claude.send(compacting(), beta)
        const { events } = yield* claude.stream(compacting({ stream: true }), beta)
        const seen = yield* Stream.runCollect(events)
        assert.deepStrictEqual(
          seen.map(({ type }) => type).filter((type) => type !== "ping"),
          ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
        )
        assert.deepStrictEqual(
          seen.find(({ type }) => type === "content_block_start")?.content_block,
          message.content[0]
        )
        const { complete, faithful, message: streamed } = collect(seen)
        assert.isTrue(complete && faithful)
        assert.deepStrictEqual(streamed?.content, message.content)
        assert.deepStrictEqual(streamed?.usage.iterations, message.usage.iterations)
        const { total } = yield* Simulator.use((simulator) => simulator.bill)
        assert.strictEqual(total.usage.output, 2 * consumed(message.usage).output)
      })
    ).pipe(Effect.provide(simulated()))
  )

  for (const [name, answer, more, stop] of [
    ["a summary longer than max_tokens", say(words(500)), { max_tokens: 100 }, "max_tokens"],
    ["a tool call instead of a summary", callTools({ name: "search", input: {} }), {}, "tool_use"],
    ["a refusal", { content: [], stopReason: "refusal" }, {}, "refusal"],
    ["no text", { content: [] }, {}, "end_turn"]
  ] as const) {
    it.effect(`${name}: an empty answer that says why, billed all the same`, () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        yield* simulator.script(answer)
        const { message } = yield* send(compacting(more), beta)
        assert.deepStrictEqual(message.content, [])
        assert.strictEqual(message.stop_reason, stop)
        const { total } = yield* simulator.bill
        assert.deepStrictEqual(total.usage, consumed(message.usage))
        assert.isAbove(promptTokens(total.usage), 0)
      }).pipe(Effect.provide(simulated()))
    )
  }
})

describe("a request that asks for compaction is refused", () => {
  const cases: ReadonlyArray<readonly [string, MessagesRequest, string, string?]> = [
    ["with context_management", compacting({ context_management: { edits: [] } }), "context_management: cannot"],
    ["with stop_sequences", compacting({ stop_sequences: ["x"] }), "stop_sequences: cannot"],
    ["with an output format", compacting({ output_config: { format: {} } }), "output_config.format: cannot"],
    ["with a forced tool", compacting({ model: "claude-opus-5", tool_choice: { type: "any" } }), "tool_choice: cannot"],
    [
      "with too long instructions",
      compacting({ compaction: { ...compaction, instructions: "x".repeat(16_385) } }),
      "at most 16384"
    ],
    ["with another type", compacting({ compaction: { type: "forget" } }), "Input should be 'summarize'"],
    ["on a model that cannot", compacting({ model: "claude-haiku-4-5-20251001" }), "not supported"],
    ["without messages", request([], { compaction }), "no user or assistant", "compaction_nothing_to_summarize"],
    [
      "inside a tool round",
      request(history.slice(0, 2), { compaction }),
      "Send its results",
      "compaction_incomplete_turn"
    ]
  ]
  for (const [name, asked, says, code] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const refused = yield* refusal(asked)
        assert.strictEqual(refused.status, 400)
        assert.include(refused.says, says)
        assert.strictEqual(refused.code, code)
      }).pipe(Effect.provide(simulated()))
    )
  }

  it.effect("without its header", () =>
    Effect.gen(function* () {
      const { code, says } = yield* refusal(compacting(), {})
      assert.include(says, "requires anthropic-beta: compact-2026-09-04")
      assert.isUndefined(code)
    }).pipe(Effect.provide(simulated()))
  )
})

describe("a block that is sent back", () => {
  it.effect("stands for what it summarised, also with a breakpoint, a kept answer, or compacted once more", () =>
    Effect.gen(function* () {
      const block = yield* blockOf
      const held = { ...block, cache_control: { type: "ephemeral" } }
      for (const messages of [
        [assistant([block]), user("go on")],
        [assistant([held]), user("go on")],
        [assistant([block]), assistant("a kept answer"), user("go on")],
        [user([block, { type: "text", text: "go on" }])]
      ]) {
        const { message } = yield* send(request(messages), beta)
        assert.strictEqual(message.stop_reason, "end_turn")
      }
      const again = yield* send(request([assistant([block]), user("go on"), assistant("Yes.")], { compaction }), beta)
      assert.include(String(again.message.content[0]?.content), "Build the billing page")
    }).pipe(Effect.provide(simulated()))
  )

  const broken: ReadonlyArray<readonly [string, (block: ContentBlock) => ReadonlyArray<Message>, string, string?]> = [
    [
      "behind a message",
      (block) => [user("a"), assistant([block]), user("b")],
      "must come first",
      "compaction_block_misplaced"
    ],
    [
      "twice",
      (block) => [assistant([block]), assistant([block]), user("b")],
      "only the newest",
      "compaction_block_ambiguous"
    ],
    [
      "with other words",
      (block) => [assistant([{ ...block, content: "x" }]), user("b")],
      "`content`",
      "compaction_content_mismatch"
    ],
    [
      "with another signature",
      (block) => [assistant([{ ...block, signature: "x" }]), user("b")],
      "`signature`",
      "compaction_signature_invalid"
    ],
    [
      "without its signature",
      ({ signature: _, ...block }) => [assistant([{ ...block, type: "compaction" }]), user("b")],
      "`signature`",
      "compaction_signature_invalid"
    ],
    [
      "without its tool changes",
      ({ tool_changes: _, ...block }) => [assistant([{ ...block, type: "compaction" }]), user("b")],
      "`tool_changes`",
      "compaction_tool_changes_mismatch"
    ],
    [
      "with a field of one's own",
      (block) => [assistant([{ ...block, citations: null }]), user("b")],
      "messages.0.content.0.compaction.citations: Extra inputs"
    ],
    ["and nothing after it", (block) => [assistant([block])], "prefill"]
  ]
  for (const [name, messages, says, code] of broken) {
    it.effect(`is refused ${name}`, () =>
      Effect.gen(function* () {
        const refused = yield* refusal(request(messages(yield* blockOf)))
        assert.strictEqual(refused.status, 400)
        assert.include(refused.says, says)
        assert.strictEqual(refused.code, code)
      }).pipe(Effect.provide(simulated()))
    )
  }

  it.effect(
    "is no known block without the header, with threshold compaction no partner, and cheaper than its history",
    () =>
      Effect.gen(function* () {
        const claude = yield* Claude
        const block = yield* blockOf
        const messages = [assistant([block]), user("go on")]
        assert.include((yield* refusal(request(messages), {})).says, "Input tag 'compaction'")
        const edits = [{ type: "compact_20260112" }]
        assert.include(
          (yield* refusal(request(messages, { context_management: { edits } }))).says,
          "cannot be combined"
        )
        const big = yield* claude.send(request([user(words(5_000)), assistant("Read.")], { compaction }), beta)
        const [small] = big.message.content
        if (small === undefined) return assert.fail("no block")
        const { message } = yield* claude.send(request([assistant([small]), user("go on")]), beta)
        assert.isBelow(promptTokens(fromApi(message.usage)), 1_000)
      }).pipe(Effect.provide(simulated()))
  )
})
