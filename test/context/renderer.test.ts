import { assert, describe, it } from "@effect/vitest"
import { Renderer } from "../../src/context/Renderer.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { blocksOf, type Content, type Message, type Role } from "../../src/domain/Message.ts"
import { validate } from "../../src/testing/ApiRules.ts"

const stored = (...messages: ReadonlyArray<readonly [Role, Content]>): ReadonlyArray<StoredMessage> =>
  messages.map(([role, content], seq) => ({ seq, role, content, tokens: 0, createdAt: 0 }))

const text = (t: string) => ({ type: "text", text: t })
const use = (id: string) => ({ type: "tool_use", id, name: "Bash", input: {} })
const result = (id: string, content = "ok") => ({ type: "tool_result", tool_use_id: id, content })
const none = { thinkingFrom: 0, shrunk: new Map<number, number>() }

const render = (history: ReadonlyArray<StoredMessage>, options = none): ReadonlyArray<Message> => {
  const renderer = new Renderer(options)
  renderer.append(history)
  assert.deepStrictEqual(validate({ model: "claude-opus-4-6", messages: renderer.messages }), [])
  return renderer.messages
}

describe("what is stored becomes what the API accepts", () => {
  it("passes a message that needs no repair on as the same object", () => {
    const history = stored(["user", [text("a")]], ["assistant", [use("t1")]], ["user", [result("t1")]])
    render(history).forEach((message, i) => {
      assert.strictEqual(message.content, history[i]?.content)
    })
  })

  it("answers a call that was interrupted, and keeps what the user said next", () => {
    const messages = render(
      stored(["user", "a"], ["assistant", [use("t1"), use("t2")]], ["user", [text("stop"), result("t2")]])
    )
    const [first, second, third] = blocksOf(messages[2]?.content ?? "")
    assert.deepStrictEqual([first?.tool_use_id, second?.tool_use_id, second?.is_error], ["t2", "t1", true])
    assert.deepStrictEqual(third, text("stop"))
  })

  it("leaves out a call that upstream itself has not answered, unless it still can", () => {
    const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }
    const found = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] }
    const paused = render(stored(["user", "a"], ["assistant", [text("looking"), search]], ["user", "b"]))
    assert.deepStrictEqual(paused[1]?.content, [text("looking")])
    const whole = render(stored(["user", "a"], ["assistant", [search]], ["assistant", [found]], ["user", "b"]))
    assert.deepStrictEqual(whole[1]?.content, [search, found])
    const open = render(stored(["user", "a"], ["assistant", [search, use("t1")]], ["user", [result("t1")]]))
    assert.deepStrictEqual(open[1]?.content, [search, use("t1")])
  })

  it("turns a result without its call into text, losing nothing", () => {
    const [only] = render(stored(["user", [result("gone", "the answer is 42")]]))
    assert.include(JSON.stringify(only), "the answer is 42")
    assert.notInclude(JSON.stringify(only), "tool_result")
  })

  it("renames a repeated call id, and its result with it", () => {
    const messages = render(
      stored(
        ["user", "a"],
        ["assistant", [use("t")]],
        ["user", [result("t")]],
        ["assistant", [use("t")]],
        ["user", [result("t")]]
      )
    )
    assert.strictEqual(blocksOf(messages[3]?.content ?? "")[0]?.id, "t_2")
    assert.strictEqual(blocksOf(messages[4]?.content ?? "")[0]?.tool_use_id, "t_2")
  })

  it("joins results that came in messages of their own", () => {
    const messages = render(
      stored(["user", "a"], ["assistant", [use("x"), use("y")]], ["user", [result("x")]], ["user", [result("y")]])
    )
    assert.strictEqual(messages.length, 3)
    assert.strictEqual(messages[2]?.content.length, 2)
  })

  it("answers two calls of one round that bear the same id, each with its own result", () => {
    const [, , answers] = render(
      stored(["user", "a"], ["assistant", [use("x"), use("x")]], ["user", [result("x"), result("x")]])
    )
    assert.deepStrictEqual(
      blocksOf(answers?.content ?? []).map((block) => [block.type, block.tool_use_id]),
      [
        ["tool_result", "x"],
        ["tool_result", "x_2"]
      ]
    )
  })

  it("leaves out empty text, unsigned thinking and empty messages", () => {
    const messages = render(
      stored(
        ["user", "a"],
        ["assistant", [{ type: "thinking", thinking: "hm" }]],
        ["user", "   "],
        ["assistant", [text(""), text("b")]],
        ["user", [{ type: "tool_result", tool_use_id: "q", content: [text("")] }, text(" \n")]]
      )
    )
    assert.deepStrictEqual(
      messages.slice(0, 2).map((m) => m.role),
      ["user", "assistant"]
    )
  })

  it("starts with the user even when the history does not", () => {
    assert.strictEqual(render(stored(["assistant", "hello"], ["user", "hi"]))[0]?.role, "user")
  })

  it("waits with a trailing assistant message until it is answered", () => {
    const renderer = new Renderer(none)
    const history = stored(["user", "a"], ["assistant", "b"])
    assert.strictEqual(renderer.append(history), 1)
    assert.strictEqual(renderer.messages.length, 1)
  })

  it("strips thinking only from messages before the mark", () => {
    const thinking = { type: "thinking", thinking: "hm", signature: "s" }
    const history = stored(
      ["user", "a"],
      ["assistant", [thinking, text("b")]],
      ["user", "c"],
      ["assistant", [thinking, text("d")]],
      ["user", "e"]
    )
    const messages = render(history, { thinkingFrom: 2, shrunk: new Map() })
    assert.strictEqual(messages[1]?.content.length, 1)
    assert.strictEqual(messages[3]?.content.length, 2)
  })

  it("only appends: what was rendered keeps its bytes and its place", () => {
    const renderer = new Renderer(none, { role: "user", content: [text("summary")] })
    const history = stored(["user", "a"], ["assistant", [use("t")]], ["user", [result("t")]], ["user", "queued"])
    const taken = renderer.append(history.slice(0, 3))
    const before = renderer.messages.map((m) => JSON.stringify(m))
    renderer.append(history.slice(taken))
    assert.deepStrictEqual(
      renderer.messages.slice(0, before.length).map((m) => JSON.stringify(m)),
      before
    )
  })

  it("passes blocks it does not know through untouched", () => {
    const block = { type: "of_tomorrow", payload: [1, { a: null }] }
    assert.deepStrictEqual(render(stored(["user", [block]]))[0]?.content, [block])
  })
})
