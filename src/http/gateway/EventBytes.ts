import { sseFrame } from "../../claude/Sse.ts"
import type { StreamEvent } from "../../domain/MessagesRequest.ts"
import { originalOf } from "../../domain/Original.ts"

const frameOf = (event: StreamEvent): Uint8Array => originalOf(event) ?? Buffer.from(sseFrame(event))

/** Frames that arrived together lie side by side in one buffer: then they are that buffer, without a copy. */
const neighbours = (a: Uint8Array, b: Uint8Array): boolean =>
  a.buffer === b.buffer && a.byteOffset + a.byteLength === b.byteOffset

/** Events as the bytes of a server-sent event stream: those they came in, where they came in any. */
export const bytesOf = (events: ReadonlyArray<StreamEvent>): Uint8Array => {
  const frames = events.map(frameOf)
  const [first] = frames
  const last = frames.at(-1)
  if (first === undefined || last === undefined) return new Uint8Array(0)
  if (frames.every((frame, index) => index === 0 || neighbours(frames[index - 1] ?? frame, frame))) {
    return Buffer.from(first.buffer, first.byteOffset, last.byteOffset + last.byteLength - first.byteOffset)
  }
  return Buffer.concat(frames)
}
