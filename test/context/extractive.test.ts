import { assert, describe, it } from "@effect/vitest"
import { extract, merge } from "../../src/context/Extractive.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Role } from "../../src/domain/Message.ts"

const count = (text: string): number => Math.ceil(text.length / 3)
const agentTools = new Set(["Task", "command_agent"])

const stored = (...messages: ReadonlyArray<readonly [Role, Content]>): ReadonlyArray<StoredMessage> =>
  messages.map(([role, content], i) => ({
    seq: 40 + i,
    role,
    content,
    tokens: 0,
    createdAt: Date.UTC(2026, 0, 1, 10, i)
  }))

const history = stored(
  ["user", "Find out why the deploy fails. Never touch the production database."],
  [
    "assistant",
    [
      { type: "text", text: "I'll delegate this." },
      {
        type: "tool_use",
        id: "a",
        name: "Task",
        input: { description: "Trace deploy failure", prompt: "Look at the logs" }
      }
    ]
  ],
  [
    "user",
    [
      {
        type: "tool_result",
        tool_use_id: "a",
        content: `agentId: ab740d2c1dc4e305f (internal)\n${"log ".repeat(3000)}`
      }
    ]
  ],
  [
    "assistant",
    [{ type: "tool_use", id: "q", name: "AskUserQuestion", input: { questions: [{ question: "Which region?" }] } }]
  ],
  [
    "user",
    [
      {
        type: "tool_result",
        tool_use_id: "q",
        content: 'User has answered your questions: "Which region?"="eu-west-1"'
      }
    ]
  ],
  [
    "assistant",
    [
      {
        type: "tool_use",
        id: "b",
        name: "Bash",
        input: { command: "git commit -m fix", description: "Commit the fix" }
      }
    ]
  ],
  ["user", [{ type: "tool_result", tool_use_id: "b", content: "[main 2bcd4622] fix: retry the migration" }]],
  ["assistant", "Done. Root cause: the migration ran twice. All 478 tests pass."],
  ["user", "thanks"]
)

const options = { detail: "light", agentTools, maxTokens: 600, count } as const

describe("an extractive summary", () => {
  const text = extract(history, options)

  it("keeps intents, constraints, agents, answers, outcomes with their ids and numbers", () => {
    for (const fact of [
      "Never touch the production database",
      "Trace deploy failure",
      "ab740d2c1dc4e305f",
      "eu-west-1",
      "2bcd4622",
      "478 tests",
      "the migration ran twice"
    ]) {
      assert.include(text, fact)
    }
  })

  it("names the messages and the time it covers", () => {
    assert.match(text.split("\n")[0] ?? "", /messages 40–48, 2026-01-01 10:00 to 2026-01-01 10:08 UTC/)
  })

  it("tells what happened in the order it happened", () => {
    assert.isBelow(text.indexOf("Find out why"), text.indexOf("Trace deploy"))
    assert.isBelow(text.indexOf("eu-west-1"), text.indexOf("2bcd4622"))
  })

  it("stays within its tokens, down to almost nothing, dearest facts first", () => {
    for (const maxTokens of [40, 80, 150, 300])
      assert.isAtMost(count(extract(history, { ...options, maxTokens })), maxTokens + 5)
    assert.include(extract(history, { ...options, maxTokens: 80 }), "Never touch the production database")
  })

  it("is the same for the same messages", () => {
    assert.strictEqual(extract(history, options), text)
  })

  it("merges under one title and drops the cheapest lines first", () => {
    const merged = merge([extract(history.slice(0, 5), options), extract(history.slice(5), options)], 170, count)
    assert.match(merged, /^\[Summary of messages 40–48,/)
    assert.isAtMost(count(merged), 175)
    assert.include(merged, "Never touch the production database")
  })
})
