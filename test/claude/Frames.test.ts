import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { vi } from "vitest"
import { frameParser } from "../../src/claude/Frames.ts"
import { sseParser } from "../../src/claude/Sse.ts"
import type { StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { originalOf } from "../../src/domain/Original.ts"

const frames = [
  'event: message_start\ndata: {"type":"message_start"}\n\n',
  'event: ping\ndata: {"type": "ping"}\n\n',
  ": keep alive\n\n",
  'data: {"type":"content_block_delta",\ndata: "x": "ü€😀"}\n\n',
  'event:message_stop\ndata:{"type":"message_stop"}\n\n',
  "\n\n",
  "id: 5\nretry: 10\nevent: odd\ndata: [1,2]\n\n",
  "event: x\ndata: not json\n\n"
]
const index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))
const ends = ["\n", "\r\n", "\r"] as const

/** What both parsers make of a stream that comes in pieces of these sizes, and the bytes that the first one gave on. */
const parse = (stream: string, sizes: ReadonlyArray<number>) => {
  const bytes = Buffer.from(stream)
  const [framing, reading] = [frameParser(), sseParser()]
  const framed: Array<StreamEvent> = []
  const read: Array<StreamEvent> = []
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const piece = bytes.subarray(at, at + (sizes[n % sizes.length] ?? 1))
    at += piece.length
    framed.push(...framing.push(piece), ...framing.push(Buffer.of()))
    read.push(...reading.push(piece))
  }
  const given = Buffer.concat(framed.map((event) => originalOf(event) ?? Buffer.of()))
  const told = (events: ReadonlyArray<StreamEvent>) =>
    events.filter(({ type }) => type !== "ping").map((event) => JSON.stringify(event))
  return { framed: told(framed), read: told(read), given: given.toString("utf8") }
}

describe("frameParser", () => {
  it.prop(
    "tells the events that the plain parser tells, in all their bytes, wherever they are cut, whatever ends their lines",
    [
      Schema.Array(Schema.Tuple([index, index])),
      Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))).check(Schema.isMinLength(1)),
      Schema.Boolean
    ],
    ([picks, sizes, marked]) => {
      const texts = picks.map(([frame, end]) =>
        (frames[frame % frames.length] ?? "").replaceAll("\n", ends[end % ends.length] ?? "\n")
      )
      const stream = `${marked ? "\ufeff" : ""}${texts.join("")}`
      const { framed, given, read } = parse(stream, sizes)
      assert.deepStrictEqual(framed, read)
      assert.isTrue(stream.startsWith(given))
    },
    { arbitrary: { runs: 500 } }
  )

  it("waits for nothing after the last event of a stream whose lines end with CR", () => {
    const stream = (frames[4] ?? "").replaceAll("\n", "\r")
    assert.deepStrictEqual(parse(stream, [7]).framed, [`{"type":"message_stop"}`])
  })

  it("puts an event of many pieces together once", () => {
    const parser = frameParser()
    const bytes = Buffer.from(`data: {"type":"big","text":"${"a".repeat(1_000_000)}"}\n\n`)
    const concat = vi.spyOn(Buffer, "concat")
    let events = 0
    for (let at = 0; at < bytes.length; at += 10_000) events += parser.push(bytes.subarray(at, at + 10_000)).length
    const calls = concat.mock.calls.length
    concat.mockRestore()
    assert.deepStrictEqual([events, calls], [1, 1])
  })
})
