import type { StreamEvent } from "../domain/MessagesRequest.ts"

/** Takes bytes as they come, gives the events that are complete with them. */
export interface SseParser {
  readonly push: (bytes: Uint8Array) => ReadonlyArray<StreamEvent>
}

const isObject = (u: unknown): u is Readonly<Record<string, unknown>> => typeof u === "object" && u !== null

const parseData = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

/** An event's data as it is, its `type` completed from the event's name; data that is not JSON is kept as text. */
export const eventOf = (name: string, data: string): StreamEvent => {
  const parsed = parseData(data)
  if (!isObject(parsed)) return { type: name || "message", data }
  // Checked: the type is a string. The rest of an event is open.
  return typeof parsed.type === "string" ? (parsed as StreamEvent) : { ...parsed, type: name || "message" }
}

const field = (line: string): readonly [name: string, value: string] => {
  const colon = line.indexOf(":")
  if (colon < 0) return [line, ""]
  return [line.slice(0, colon), line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)]
}

/** One block of lines between blank lines; undefined for comments and keep-alives. */
export const parseFrame = (frame: string): StreamEvent | undefined => {
  let name = ""
  let data: string | undefined
  for (const line of frame.split("\n")) {
    const [key, value] = field(line)
    if (key === "event") name = value
    else if (key === "data") data = data === undefined ? value : `${data}\n${value}`
  }
  return data === undefined ? undefined : eventOf(name, data)
}

/**
 * A server-sent event parser for one stream. Unknown events and fields pass; bytes may be cut anywhere, also inside a
 * character. A last event without its blank line is dropped, as the standard says.
 */
export const sseParser = (): SseParser => {
  const decoder = new TextDecoder()
  let pending: Array<string> = []
  let afterCr = false
  const normalise = (text: string): string => {
    if (!afterCr && !text.includes("\r")) return text
    const whole = afterCr && text.startsWith("\n") ? text.slice(1) : text
    afterCr = text.endsWith("\r")
    return whole.replaceAll("\r\n", "\n").replaceAll("\r", "\n")
  }
  return {
    push: (bytes) => {
      const fresh = normalise(decoder.decode(bytes, { stream: true }))
      if (fresh === "") return []
      // Only what is new, and the character before it, can complete a frame; a long one is put together once.
      const ends = fresh.includes("\n\n") || (fresh.startsWith("\n") && pending.at(-1)?.endsWith("\n") === true)
      pending.push(fresh)
      if (!ends) return []
      const text = pending.join("")
      const events: Array<StreamEvent> = []
      let start = 0
      for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n", start)) {
        const event = at > start ? parseFrame(text.slice(start, at)) : undefined
        if (event !== undefined) events.push(event)
        start = at + 2
      }
      pending = start < text.length ? [text.slice(start)] : []
      return events
    }
  }
}

/** An event as a frame of a server-sent event stream. */
export const sseFrame = (event: StreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
