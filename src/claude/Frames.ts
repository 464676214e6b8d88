import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { withOriginal } from "../domain/Original.ts"
import { parseFrame } from "./Sse.ts"

/** Takes bytes as they come, gives the events that are complete with them, each with the bytes it came in. */
export interface FrameParser {
  readonly push: (bytes: Uint8Array) => ReadonlyArray<StreamEvent>
}

const lf = 0x0a
const cr = 0x0d

/** Where the frame that begins at `start` ends, its blank line included; -1 when that has not come yet. */
const frameEnd = (bytes: Buffer, start: number, hasCr: boolean): number => {
  if (!hasCr) {
    const at = bytes.indexOf("\n\n", start, "latin1")
    return at < 0 ? -1 : at + 2
  }
  let lineStart = start
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] !== lf && bytes[at] !== cr) continue
    // A CR at the very end may still get its LF.
    if (bytes[at] === cr && at + 1 === bytes.length) return -1
    const next = bytes[at] === cr && bytes[at + 1] === lf ? at + 2 : at + 1
    if (at === lineStart) return next
    lineStart = next
    at = next - 1
  }
  return -1
}

const textOf = (bytes: Buffer, hasCr: boolean): string => {
  const text = bytes.toString("utf8")
  return hasCr ? text.replace(/\r\n?/g, "\n") : text
}

/** A comment keeps a connection alive, as `ping` does: it is passed on as one, in its own bytes. */
const toEvent = (text: string): StreamEvent => parseFrame(text) ?? { type: "ping" }

/**
 * A server-sent event parser that forgets nothing: the bytes of all its events, one after the other, are the bytes that
 * were pushed. For passing a stream on while reading it. An event without its blank line is dropped.
 */
export const frameParser = (): FrameParser => {
  let pending: Buffer | undefined
  return {
    push: (chunk) => {
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const bytes: Buffer = pending === undefined ? fresh : Buffer.concat([pending, fresh])
      const hasCr = bytes.includes(cr)
      const events: Array<StreamEvent> = []
      let start = 0
      for (let end = frameEnd(bytes, 0, hasCr); end > 0; end = frameEnd(bytes, start, hasCr)) {
        const frame = bytes.subarray(start, end)
        events.push(withOriginal(toEvent(textOf(frame, hasCr)), frame))
        start = end
      }
      pending = start === bytes.length ? undefined : bytes.subarray(start)
      return events
    }
  }
}
