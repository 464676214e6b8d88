import { isAscii } from "node:buffer"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { withOriginal } from "../domain/Original.ts"
import { eventOf, parseFrame } from "./Sse.ts"

/** Takes bytes as they come, gives the events that are complete with them, each with the bytes it came in. */
export interface FrameParser {
  readonly push: (bytes: Uint8Array) => ReadonlyArray<StreamEvent>
}

/** One frame, its blank line included. */
interface Frame {
  readonly bytes: Buffer
  readonly text: string
}

const lf = 0x0a
const cr = 0x0d

/** Where the frame that begins at `start` ends; -1 when its blank line has not come yet. For streams with CRs in them. */
const endWithCr = (bytes: Buffer, start: number): number => {
  let lineStart = start
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] !== lf && bytes[at] !== cr) continue
    // A CR at the very end may still get its LF, which then begins the next frame: nothing is waited for.
    const next = bytes[at] === cr && bytes[at + 1] === lf ? at + 2 : at + 1
    if (at === lineStart) return next
    lineStart = next
    at = next - 1
  }
  return -1
}

/** Whether a frame can end in `fresh`, which follows `last`. */
const mayEnd = (last: Buffer, fresh: Buffer): boolean => {
  const before = last.at(-1)
  return (
    before === cr || (before === lf && fresh[0] === lf) || fresh.includes("\n\n", 0, "latin1") || fresh.includes(cr)
  )
}

const withCr = (bytes: Buffer): ReadonlyArray<Frame> => {
  const frames: Array<Frame> = []
  let start = 0
  for (let end = endWithCr(bytes, 0); end > 0; end = endWithCr(bytes, start)) {
    const frame = bytes.subarray(start, end)
    frames.push({ bytes: frame, text: frame.toString("utf8").replace(/\r\n?/g, "\n") })
    start = end
  }
  return frames
}

const ordinary = (bytes: Buffer): ReadonlyArray<Frame> => {
  // Where every character is one byte, positions in the text are positions in the bytes.
  const whole = isAscii(bytes) ? bytes.toString("latin1") : undefined
  const endOf = (from: number): number => (whole?.indexOf("\n\n", from) ?? bytes.indexOf("\n\n", from, "latin1")) + 2
  const frames: Array<Frame> = []
  let start = 0
  for (let end = endOf(0); end > 1; end = endOf(start)) {
    const frame = bytes.subarray(start, end)
    frames.push({ bytes: frame, text: whole?.slice(start, end) ?? frame.toString("utf8") })
    start = end
  }
  return frames
}

const name = "event: "
const data = "\ndata: "

/** The data of a frame as upstream writes them all: a name, one line of data. */
const usualData = (text: string): string | undefined => {
  const at = text.startsWith(name) ? text.indexOf("\n") : -1
  return at > 0 && text.startsWith(data, at) && text.indexOf("\n", at + 1) === text.length - 2
    ? text.slice(at + data.length, -2)
    : undefined
}

const usualName = (text: string): string => text.slice(name.length, text.indexOf("\n"))

/** A stream may begin with a byte order mark. */
const withoutMark = (text: string): string => (text.startsWith("\ufeff") ? text.slice(1) : text)

/** A comment keeps a connection alive, as `ping` does: it is passed on as one, in its own bytes. */
const single = (text: string): StreamEvent => {
  const found = usualData(text)
  return found === undefined ? (parseFrame(withoutMark(text)) ?? { type: "ping" }) : eventOf(usualName(text), found)
}

const isEvent = (value: unknown): value is StreamEvent =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** All at once, which costs a third; undefined where one of them is not what upstream usually writes. */
const together = (frames: ReadonlyArray<Frame>): ReadonlyArray<StreamEvent> | undefined => {
  const found: Array<string> = []
  for (const { text } of frames) {
    const one = usualData(text)
    if (one === undefined || !one.startsWith("{") || !one.endsWith("}")) return undefined
    found.push(one)
  }
  try {
    const events: unknown = JSON.parse(`[${found.join(",")}]`)
    return Array.isArray(events) && events.length === frames.length && events.every(isEvent) ? events : undefined
  } catch {
    return undefined
  }
}

const eventsOf = (frames: ReadonlyArray<Frame>): ReadonlyArray<StreamEvent> => {
  const events = (frames.length > 1 ? together(frames) : undefined) ?? frames.map(({ text }) => single(text))
  // One event for each frame, on both ways.
  return frames.map(({ bytes }, index) => withOriginal(events[index] as StreamEvent, bytes))
}

/**
 * A server-sent event parser that forgets nothing: the bytes of all its events, one after the other, are the bytes that
 * were pushed. For passing a stream on while reading it. An event without its blank line is dropped.
 */
export const frameParser = (): FrameParser => {
  let pending: Array<Buffer> = []
  return {
    push: (chunk) => {
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      if (fresh.length === 0) return []
      const last = pending.at(-1)
      pending.push(fresh)
      // A frame may be many megabytes: it is put together once, when it ends.
      if (last !== undefined && !mayEnd(last, fresh)) return []
      const bytes: Buffer = last === undefined ? fresh : Buffer.concat(pending)
      const frames = bytes.includes(cr) ? withCr(bytes) : ordinary(bytes)
      const taken = frames.reduce((sum, frame) => sum + frame.bytes.length, 0)
      pending = taken === bytes.length ? [] : [bytes.subarray(taken)]
      return eventsOf(frames)
    }
  }
}
