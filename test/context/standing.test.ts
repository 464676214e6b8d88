import { assert, describe, it } from "@effect/vitest"
import { gather, nothing, pin, type Standing, standingText, unpin, within } from "../../src/context/Standing.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Role } from "../../src/domain/Message.ts"

const stored = (...messages: ReadonlyArray<readonly [Role, Content]>): ReadonlyArray<StoredMessage> =>
  messages.map(([role, content], seq) => ({ seq, role, content, tokens: 0, createdAt: 0 }))

const agentTools = new Set(["Task"])
const history = stored(
  ["user", "Look at the deploy. Never touch production. It is slow today."],
  ["assistant", [{ type: "tool_use", id: "a", name: "Task", input: { description: "Trace deploy" } }]],
  ["user", [{ type: "tool_result", tool_use_id: "a", content: "agentId: ab740d2c (internal)" }]],
  ["user", `Here is the manual. ${"Never do this. ".repeat(500)}`],
  ["assistant", "I must never forget."]
)

describe("what holds for the whole conversation", () => {
  const standing = gather(nothing, history, agentTools)

  it("the user's own standing instructions, not those of pasted documents or of the assistant", () =>
    assert.deepStrictEqual(standing.instructions, [{ seq: 0, text: "Never touch production." }]))

  it("agents with the id their tool reported", () =>
    assert.deepStrictEqual(standing.agents, [{ seq: 1, name: "Trace deploy", id: "agentId: ab740d2c" }]))

  it("says each thing once and stays bounded however long the conversation", () => {
    let state = standing
    for (let i = 0; i < 500; i++) state = gather(state, stored(["user", `Always do number ${i % 50}.`]), agentTools)
    assert.isAtMost(state.instructions.length, 16)
    assert.isBelow(standingText(state).length, 6_000)
    const repeated = gather(gather(nothing, history, agentTools), history, agentTools)
    assert.strictEqual(repeated.instructions.length, 1)
  })

  it("pinned messages in their own words, until they are unpinned", () => {
    const [first, , , manual] = history
    if (first === undefined || manual === undefined) throw new Error("the history has both")
    const pinned = pin(pin(standing, manual), first)
    assert.deepStrictEqual(
      pinned.pinned.map((line) => line.seq),
      [0, 3]
    )
    assert.include(standingText(pinned), "It is slow today.")
    assert.isBelow(standingText(pinned).length, 3_500)
    assert.deepStrictEqual(
      unpin(pinned, 0).pinned.map((line) => line.seq),
      [3]
    )
  })

  it("is silent when there is nothing to say", () => assert.strictEqual(standingText(nothing), ""))

  it("takes no more than its room: files and agents go first, pins are shortened, instructions and pins go last", () => {
    const pins = [0, 1, 2].map((seq) => ({ seq, text: "word ".repeat(300) }))
    const full: Standing = {
      instructions: [{ seq: 1, text: "Never touch production." }],
      agents: [{ seq: 2, name: "reviewer", id: "a1" }],
      files: [{ seq: 3, path: "src/main.ts", written: true }],
      pinned: pins
    }
    const fitted = (chars: number) => within(full, (text) => text.length <= chars)
    assert.strictEqual(fitted(10_000), full)
    const some = fitted(1_000)
    assert.deepStrictEqual([some.files, some.agents, some.instructions], [[], [], full.instructions])
    assert.deepStrictEqual(
      some.pinned.map(({ seq }) => seq),
      [0, 1, 2]
    )
    for (let chars = 0; chars < 2_000; chars += 50) assert.isAtMost(standingText(fitted(chars)).length, chars)
  })
})
