import { assert, describe, it } from "@effect/vitest"
import { superseded } from "../../src/context/Superseded.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, Role } from "../../src/domain/Message.ts"

const stored = (...messages: ReadonlyArray<readonly [Role, Content]>): ReadonlyArray<StoredMessage> =>
  messages.map(([role, content], seq) => ({ seq, role, content, tokens: 0, createdAt: 0 }))

const call = (id: string, name: string, input: object) => [{ type: "tool_use", id, name, input }]
const result = (id: string, more: object = {}) => [{ type: "tool_result", tool_use_id: id, content: "…", ...more }]

describe("overtaken tool results", () => {
  const round = (id: string, name: string, input: object, more?: object): ReadonlyArray<readonly [Role, Content]> => [
    ["assistant", call(id, name, input)],
    ["user", result(id, more)]
  ]

  it("a file read again, or written since", () => {
    const history = stored(
      ...round("1", "Read", { file_path: "a.ts" }),
      ...round("2", "Read", { file_path: "b.ts" }),
      ...round("3", "Edit", { file_path: "a.ts", new_string: "x" }),
      ...round("4", "Read", { file_path: "a.ts" })
    )
    assert.deepStrictEqual(Array.from(superseded(history)), [1, 5])
  })

  it("the same command, not another one", () => {
    const history = stored(
      ...round("1", "Bash", { command: "npm test" }),
      ...round("2", "Bash", { command: "npm run lint" }),
      ...round("3", "Bash", { command: "npm test" })
    )
    assert.deepStrictEqual(Array.from(superseded(history)), [1])
  })

  it("errors outlive what came after them", () => {
    const history = stored(
      ...round("1", "Bash", { command: "npm test" }, { is_error: true }),
      ...round("2", "Bash", { command: "npm test" })
    )
    assert.deepStrictEqual(Array.from(superseded(history)), [])
  })
})
