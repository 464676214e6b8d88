import { assert, describe, it } from "@effect/vitest"
import { shrinkContent, shrinkResult } from "../../src/context/Shrink.ts"
import { blocksOf } from "../../src/domain/Message.ts"
import { parseExactly } from "../../src/http/gateway/exactJson.ts"

const noise = (lines: number): string =>
  Array.from({ length: lines }, (_, i) => `line ${i} says nothing in particular`).join("\n")

describe("old tool results shrink to their outcome", () => {
  const text = [
    noise(200),
    "[main 2bcd4622] restore TrueColor",
    "Error: ENOENT no such file src/app/main.ts",
    "478 tests passed",
    noise(200)
  ].join("\n")

  it("keeps ids, paths, counts and errors from the middle, in their own words and order", () => {
    const shrunk = shrinkResult(text, 1_500)
    assert.isBelow(shrunk.length, 1_800)
    const at = ["[main 2bcd4622]", "ENOENT no such file src/app/main.ts", "478 tests passed"].map((w) =>
      shrunk.indexOf(w)
    )
    assert.isTrue(at.every((position) => position > 0))
    assert.deepStrictEqual(
      at,
      [...at].sort((a, b) => a - b)
    )
    assert.match(shrunk, /characters cut/)
  })

  it("invents nothing: every line was in the source or marks a cut", () => {
    for (const line of shrinkResult(text, 1_000).split("\n"))
      assert.isTrue(text.includes(line.trim()) || line.includes("…"), line)
  })

  it("leaves short content the object it is", () => {
    const content = [{ type: "tool_result", tool_use_id: "t", content: "short" }]
    assert.strictEqual(shrinkContent(content, 100), content)
  })

  it("keeps whole numbers in a call's input that no double holds", () => {
    const input = parseExactly(`{"id":1234567890123456789,"text":"${"long ".repeat(200)}"}`)
    const shrunk = JSON.stringify(shrinkContent([{ type: "tool_use", id: "t", name: "f", input }], 100))
    assert.include(shrunk, '"id":1234567890123456789,')
    assert.isBelow(shrunk.length, 500)
  })

  it("cuts long strings inside a call's input and keeps its shape", () => {
    const content = [
      {
        type: "tool_use",
        id: "t",
        name: "Write",
        input: { path: "a.ts", content: "x".repeat(5_000), deep: [{ n: 1 }] }
      }
    ]
    const [block] = blocksOf(shrinkContent(content, 200))
    assert.deepInclude(block?.input, { path: "a.ts", deep: [{ n: 1 }] })
    assert.isBelow(JSON.stringify(block).length, 500)
  })

  it("never cuts a surrogate pair in half", () => {
    for (let chars = 10; chars < 30; chars++) assert.isTrue(shrinkResult("😀".repeat(100), chars).isWellFormed())
  })
})
