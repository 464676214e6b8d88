import type { Segment, StoredMessage } from "../domain/Conversation.ts"
import type { ContextEntry } from "./PreparedContext.ts"

/** What a context is made of, in order: segments, then the full messages from the boundary on. */
export const entriesOf = (
  segments: ReadonlyArray<Segment>,
  messages: ReadonlyArray<StoredMessage>,
  tokens: (message: StoredMessage) => number
): ReadonlyArray<ContextEntry> => [
  ...segments.map(
    (s): ContextEntry => ({
      band: s.detail === "heavy" ? "old" : "mid",
      from: s.from,
      to: s.to,
      tokens: s.tokens,
      segment: true,
      text: s.text
    })
  ),
  ...messages.map(
    (message): ContextEntry => ({
      band: "recent",
      from: message.seq,
      to: message.seq + 1,
      tokens: tokens(message),
      segment: false
    })
  )
]
