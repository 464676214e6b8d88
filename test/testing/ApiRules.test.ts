import { assert, describe, it } from "@effect/vitest"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import { type Rule, type ValidatedRequest, type ValidateOptions, validate } from "../../src/testing/ApiRules.ts"

const model = "claude-sonnet-5-5"
const user = (content: Message["content"]): Message => ({ role: "user", content })
const assistant = (content: Message["content"]): Message => ({ role: "assistant", content })
const text = (value: string, extra = {}): ContentBlock => ({ type: "text", text: value, ...extra })
const call = (id: string): ContentBlock => ({ type: "tool_use", id, name: "search", input: {} })
const result = (id: string, extra = {}): ContentBlock => ({ type: "tool_result", tool_use_id: id, ...extra })
const short = { cache_control: { type: "ephemeral" } }
const long = { cache_control: { type: "ephemeral", ttl: "1h" } }

const ask = (messages: ReadonlyArray<Message>, extra: Readonly<Record<string, unknown>> = {}): ValidatedRequest => ({
  model,
  max_tokens: 100,
  messages,
  ...extra
})
const sealed: ContentBlock = { type: "compaction", content: "…", signature: "sig" }
const summarize = { compaction: { type: "summarize" } }
const round = [user("hi"), assistant([call("a"), call("b")])]
const tool = { name: "search", input_schema: { type: "object" } }

interface Example {
  readonly rule: Rule
  readonly request: ValidatedRequest
  readonly says: string
  readonly options?: ValidateOptions
}

const bad: ReadonlyArray<Example> = [
  { rule: "messages_required", request: ask([]), says: "at least one message is required" },
  {
    rule: "too_many_messages",
    request: ask(Array.from({ length: 100_001 }, () => user("x"))),
    says: "at most 100000 messages"
  },
  {
    rule: "compaction_beta",
    request: ask([user("x")], summarize),
    says: "requires anthropic-beta: compact-2026-09-04",
    options: { betas: [] }
  },
  {
    rule: "compaction_beta",
    request: ask([assistant([sealed]), user("x")]),
    says: "does not match any of the expected tags",
    options: { betas: ["context-1m-2025-08-07"] }
  },
  {
    rule: "compaction_combined",
    request: ask([user("x")], { ...summarize, output_config: { task_budget: { remaining: 1 } } }),
    says: "output_config.task_budget.remaining: cannot be combined with `compaction`"
  },
  {
    rule: "compaction_combined",
    request: ask([assistant([sealed]), user("x")], { output_config: { task_budget: { remaining: 1 } } }),
    says: "output_config.task_budget.remaining: cannot be combined with a signed"
  },
  { rule: "compaction_parameter", request: ask([user("x")], { compaction: {} }), says: "Input should be 'summarize'" },
  {
    rule: "compaction_incomplete_turn",
    request: ask(
      [user("x"), assistant([text("y"), { type: "server_tool_use", id: "s", name: "web_search" }])],
      summarize
    ),
    says: "Send its results first"
  },
  {
    rule: "compaction_block_misplaced",
    request: ask([user("x"), assistant([sealed]), user("y")]),
    says: "must come first"
  },
  {
    rule: "compaction_block_ambiguous",
    request: ask([assistant([sealed, sealed]), user("y")]),
    says: "only the newest"
  },
  {
    rule: "compaction_block_fields",
    request: ask([assistant([{ ...sealed, text: null }]), user("y")]),
    says: "compaction.text: Extra inputs are not permitted"
  },
  { rule: "first_message_user", request: ask([assistant("hi"), user("x")]), says: 'must use the "user" role' },
  {
    rule: "system_placement",
    request: ask([{ role: "system", content: "s" }, user("x")]),
    says: 'a "system" message must follow a user turn'
  },
  {
    rule: "system_placement",
    request: ask([user("x"), { role: "system", content: "s" }], { model: "claude-sonnet-5" }),
    says: "not supported"
  },
  {
    rule: "system_placement",
    request: ask([user("x"), { role: "system", content: "s" }, user("y")]),
    says: "followed by an assistant turn"
  },
  {
    rule: "prefill_unsupported",
    request: ask([user("x"), assistant("The answer is")]),
    says: "does not support assistant message prefill"
  },
  {
    rule: "trailing_whitespace",
    request: ask([user("x"), assistant("The answer is ")], { model: "claude-haiku-4-5-20251001" }),
    says: "cannot end with trailing whitespace"
  },
  { rule: "content_required", request: ask([user("")]), says: "must have non-empty content" },
  { rule: "content_required", request: ask([user([])]), says: "must have non-empty content" },
  { rule: "text_empty", request: ask([user([text("")])]), says: "text content blocks must be non-empty" },
  {
    rule: "text_empty",
    request: ask([user("x")], { system: [text("")] }),
    says: "system: text content blocks must be non-empty"
  },
  {
    rule: "text_empty",
    request: ask([...round, user([result("a", { content: [text("")] }), result("b")])]),
    says: "must be non-empty"
  },
  { rule: "text_blank", request: ask([user([text(" \n")])]), says: "must contain non-whitespace text" },
  { rule: "text_blank", request: ask([user("  ")]), says: "must contain non-whitespace text" },
  { rule: "block_role", request: ask([user([call("a")])]), says: "`tool_use` blocks can only be in `assistant`" },
  {
    rule: "thinking_signature",
    request: ask([user("x"), assistant([{ type: "thinking", thinking: "hm" }, text("y")]), user("z")]),
    says: "messages.1.content.0.thinking.signature: Field required"
  },
  {
    rule: "thinking_signature",
    request: ask([user("x"), assistant([{ type: "thinking", thinking: "hm", signature: "" }, text("y")]), user("z")]),
    says: "Invalid `signature` in `thinking` block"
  },
  {
    rule: "tool_use_unanswered",
    request: ask([...round, user([result("a")])]),
    says: "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b"
  },
  { rule: "tool_use_unanswered", request: ask(round), says: "immediately after: a, b" },
  {
    rule: "tool_use_unanswered",
    request: ask([...round, user("wait"), assistant("ok"), user([result("a"), result("b")])]),
    says: "immediately after"
  },
  {
    rule: "tool_result_orphaned",
    request: ask([...round, user([result("a"), result("b"), result("c")])]),
    says: "messages.2.content.2: unexpected `tool_use_id` found in `tool_result` blocks: c"
  },
  { rule: "tool_result_orphaned", request: ask([user([result("a")])]), says: "unexpected `tool_use_id`" },
  {
    rule: "tool_result_repeated",
    request: ask([...round, user([result("a"), result("b"), result("a")])]),
    says: "each tool_use must have a single result"
  },
  {
    rule: "tool_result_first",
    request: ask([...round, user([text("see"), result("a"), result("b")])]),
    says: "must come first"
  },
  {
    rule: "server_tool_unresolved",
    request: ask([
      user("x"),
      assistant([{ type: "server_tool_use", id: "s", name: "web_search", input: {} }, call("a")]),
      user([result("a"), text("and now?")])
    ]),
    says: "`server_tool_use` ids were found without a result block: s"
  },
  {
    rule: "server_result_orphaned",
    request: ask([user("x"), assistant([{ type: "web_search_tool_result", tool_use_id: "s" }, text("y")]), user("z")]),
    says: "must have a corresponding `server_tool_use`"
  },
  {
    rule: "tool_id_unique",
    request: ask([...round, user([result("a"), result("b")]), assistant([call("a")]), user([result("a")])]),
    says: "`tool_use` ids must be unique"
  },
  {
    rule: "tool_id_pattern",
    request: ask([user("x"), assistant([call("a.b")]), user([result("a.b")])]),
    says: "should match pattern"
  },
  { rule: "tool_name_unique", request: ask([user("x")], { tools: [tool, tool] }), says: "Tool names must be unique" },
  { rule: "tool_name_pattern", request: ask([user("x")], { tools: [{ name: "a b" }] }), says: "should match pattern" },
  {
    rule: "tool_choice",
    request: ask([user("x")], {
      tools: [tool],
      tool_choice: { type: "tool", name: "other" },
      model: "claude-sonnet-5"
    }),
    says: "Tool 'other' not found in provided tools"
  },
  {
    rule: "tool_choice",
    request: ask([user("x")], { tools: [tool], tool_choice: { type: "any" } }),
    says: "not supported on this model"
  },
  {
    rule: "tool_choice",
    request: ask([user("x")], { tool_choice: { type: "auto" } }),
    says: "may only be specified while providing tools"
  },
  { rule: "max_tokens", request: ask([user("x")], { max_tokens: -1 }), says: "max_tokens" },
  { rule: "max_tokens", request: ask([user("x")], { max_tokens: 0, stream: true }), says: "streaming" },
  {
    rule: "sampling_refused",
    request: ask([user("x")], { temperature: 1 }),
    options: { version: "2026-10-21" },
    says: "temperature: Extra inputs are not permitted"
  },
  {
    rule: "thinking_mode",
    request: ask([user("x")], { thinking: { type: "enabled", budget_tokens: 1024 } }),
    says: '"enabled" is not supported'
  },
  {
    rule: "cache_breakpoints",
    request: ask([user([text("1", short), text("2", short), text("3", short)])], {
      tools: [{ ...tool, ...short }],
      system: [text("s", short)]
    }),
    says: "A maximum of 4 blocks with cache_control may be provided. Found 5."
  },
  {
    rule: "cache_breakpoints",
    request: ask([user([text("1", short), text("2", short), text("3", short), text("4", short), text("5")])], short),
    says: "Found 5."
  },
  {
    rule: "cache_order",
    request: ask([user([text("1", long)])], { system: [text("s", short)] }),
    says: "must not come after a ttl='5m'"
  },
  { rule: "cache_order", request: ask([user([text("1", short), text("2")])], long), says: "must not come after" },
  {
    rule: "cache_misplaced",
    request: ask([
      user("x"),
      assistant([{ type: "thinking", thinking: "h", signature: "s", ...short }, text("y")]),
      user("z")
    ]),
    says: "thinking.cache_control: Extra inputs are not permitted"
  },
  { rule: "cache_misplaced", request: ask([user([text("", short)])]), says: "cannot be set for empty text blocks" },
  {
    rule: "cache_ttl",
    request: ask([user([text("1", { cache_control: { type: "ephemeral", ttl: "2h" } })])]),
    says: "Input should be '5m' or '1h'"
  },
  { rule: "cache_ttl", request: ask([user([text("1", long)])], short), says: "differs from the top-level ttl='5m'" }
]

const good: Readonly<Record<string, ValidatedRequest>> = {
  "one user message": ask([user("hi")]),
  "a conversation": ask([user("hi"), assistant("hello"), user("bye")]),
  "same-role neighbours": ask([user("a"), user("b"), assistant("c"), assistant("d"), user("e")]),
  "parallel calls answered together": ask([...round, user([result("b"), result("a"), text("go on")])]),
  "answers spread over merged neighbours": ask([...round, user([result("a")]), user([result("b"), text("x")])]),
  "calls spread over merged neighbours": ask([
    user("x"),
    assistant([call("a")]),
    assistant([call("b")]),
    user([result("a"), result("b")])
  ]),
  "a blank line inside a tool result": ask([...round, user([result("a", { content: [text("\n")] }), result("b")])]),
  "empty tool results": ask([...round, user([result("a", { content: "" }), result("b", { content: [] })])]),
  "a system message after a user turn": ask([user("x"), { role: "system", content: "s" }, assistant("y"), user("z")]),
  "four breakpoints, long before short": ask([user([text("1", long), text("2", short)])], {
    tools: [{ ...tool, ...long }],
    system: [text("s", long)]
  }),
  "an automatic breakpoint": ask([user("x")], short),
  "an automatic breakpoint on a marked block": ask([user([text("x", short)])], short),
  "signed thinking": ask([
    user("x"),
    assistant([{ type: "thinking", thinking: "", signature: "sig" }, call("a")]),
    user([result("a")])
  ]),
  "a paused server tool": ask([user("x"), assistant([{ type: "server_tool_use", id: "s", name: "web_search" }])]),
  "a resolved server tool": ask([
    user("x"),
    assistant([
      { type: "server_tool_use", id: "s", name: "web_search" },
      { type: "web_search_tool_result", tool_use_id: "s" },
      text("y")
    ]),
    user("z")
  ]),
  "a compaction block first": ask([assistant([{ type: "compaction", content: "…" }]), user("x")]),
  "a signed compaction block and a kept answer": ask([assistant([sealed]), assistant("y"), user("x")]),
  "a compaction block that failed, anywhere": ask([user("x"), assistant([{ ...sealed, content: null }]), user("y")]),
  "a history that ends with its answer, to be compacted": ask([user("x"), assistant("y")], {
    compaction: { type: "summarize", instructions: null }
  }),
  "prefill on an old model": ask([user("x"), assistant("The answer is")], { model: "claude-haiku-4-5-20251001" }),
  "unknown blocks": ask([user([{ type: "hologram", data: 1 }])]),
  "sampling on the old version": ask([user("x")], { temperature: 0.5 }),
  "a toolset without a name": ask([user("x")], { tools: [{ type: "mcp_toolset" }, { type: "mcp_toolset" }] }),
  "a count_tokens body": { model, messages: [user("x")] }
}

describe("ApiRules", () => {
  for (const { options, request, rule, says } of bad) {
    it(`rejects ${rule}: ${says}`, () => {
      const found = validate(request, options)
      const hit = found.find((violation) => violation.rule === rule)
      assert.include(hit?.message ?? JSON.stringify(found), says)
    })
  }

  for (const [name, request] of Object.entries(good)) {
    it(`accepts ${name}`, () => assert.deepStrictEqual(validate(request), []))
  }

  it("reports nothing but the broken rule", () => {
    for (const { options, request, rule } of bad) {
      const others = validate(request, options).filter((violation) => violation.rule !== rule)
      const expected: ReadonlySet<string> = new Set(["text_empty", "tool_result_orphaned", "tool_use_unanswered"])
      assert.deepStrictEqual(
        others.filter((violation) => !expected.has(violation.rule)),
        [],
        rule
      )
    }
  })

  it("names where the text is empty, though the wording does not", () =>
    assert.strictEqual(validate(ask([user([text("a"), text("")])]))[0]?.path, "messages.0.content.1"))

  it("breaks exactly one pair per answer taken away", () => {
    const whole = Array.from({ length: 20 }, (_, n) => [
      assistant([call(`t${n}`)]),
      user([result(`t${n}`), text("ok")])
    ])
    for (let cut = 0; cut < whole.length; cut++) {
      const messages = [user("go"), ...whole.flatMap((pair, n) => (n === cut ? [pair[0], user("stop")] : pair))]
      const found = validate(ask(messages.filter((message) => message !== undefined)))
      assert.deepStrictEqual(
        found.map(({ path, rule }) => [rule, path]),
        [["tool_use_unanswered", `messages.${1 + 2 * cut}`]]
      )
    }
  })
})
