import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { sseFrame, sseParser } from "../../src/claude/Sse.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (text: string): ReadonlyArray<StreamEvent> => sseParser().push(bytes(text))

describe("sseParser", () => {
  it("reads events with any line ending, comments, and data over several lines", () => {
    const expected = [{ type: "a", n: 1 }, { type: "b" }]
    for (const end of ["\n", "\r\n", "\r"]) {
      const lines = [
        ": hi",
        "",
        "event: a",
        'data: {"type":"a",',
        'data:"n":1}',
        "",
        "id: 7",
        'data: {"type":"b"}',
        "",
        ""
      ]
      assert.deepStrictEqual(parse(lines.join(end)), expected, JSON.stringify(end))
    }
  })

  it("passes what it does not know", () => {
    assert.deepStrictEqual(parse('event: hologram\ndata: {"x":{"y":1}}\n\n'), [{ type: "hologram", x: { y: 1 } }])
    assert.deepStrictEqual(parse("event: odd\ndata: not json\n\n"), [{ type: "odd", data: "not json" }])
    assert.deepStrictEqual(parse("data: 5\n\n"), [{ type: "message", data: "5" }])
  })

  it("drops a last event that never ended", () => assert.deepStrictEqual(parse('data: {"type":"a"}\n'), []))

  it.prop(
    "gives the same events wherever the bytes are cut",
    [
      Schema.Array(Schema.Struct({ type: Schema.String, text: Schema.String })),
      Schema.Array(Schema.Natural).check(Schema.isMinLength(1)),
      Schema.Literals(["\n", "\r\n", "\r"])
    ],
    ([events, cuts, end]) => {
      const all = bytes(events.map(sseFrame).join("").replaceAll("\n", end))
      const parser = sseParser()
      const seen: Array<StreamEvent> = []
      let at = 0
      for (let n = 0; at < all.length; n++) {
        const size = 1 + ((cuts[n % cuts.length] ?? 0) % 40)
        seen.push(...parser.push(all.subarray(at, at + size)))
        at += size
      }
      assert.deepStrictEqual(seen, [...events])
    }
  )
})
