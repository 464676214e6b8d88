import { Schema } from "effect"
import { Content } from "./Message.ts"

/** `mid` segments are light summaries, `old` ones heavy; `recent` messages stay in full. */
export const Band = Schema.Literals(["recent", "mid", "old"])
export type Band = typeof Band.Type

/** How strongly a segment condenses: `light` for the mid band, `heavy` for the old one. */
export const Detail = Schema.Literals(["light", "heavy"])
export type Detail = typeof Detail.Type

export const Conversation = Schema.Struct({
  id: Schema.String,
  tenant: Schema.String,
  title: Schema.NullOr(Schema.String),
  model: Schema.NullOr(Schema.String),
  messages: Schema.Natural,
  createdAt: Schema.Natural.annotate({ description: "milliseconds since the epoch" })
}).annotate({ identifier: "Conversation" })
export interface Conversation extends Schema.Schema.Type<typeof Conversation> {}

/** A message as stored: never changed afterwards. `seq` counts from 0 inside its conversation, without gaps. */
export const StoredMessage = Schema.Struct({
  seq: Schema.Natural,
  role: Schema.Literals(["user", "assistant", "system"]),
  content: Content,
  tokens: Schema.Natural.annotate({ description: "estimated tokens when it was stored" }),
  createdAt: Schema.Natural.annotate({ description: "milliseconds since the epoch" })
}).annotate({ identifier: "StoredMessage" })
export interface StoredMessage extends Schema.Schema.Type<typeof StoredMessage> {}

/**
 * A run of whole messages `[from, to)` condensed into one text. Immutable; `hash` identifies what it covers and how
 * (SHA-256 over the covered messages and the detail), so the same run is never summarised twice.
 */
export const Segment = Schema.Struct({
  hash: Schema.String,
  detail: Detail,
  from: Schema.Natural,
  to: Schema.Natural,
  text: Schema.String,
  tokens: Schema.Natural,
  createdAt: Schema.Natural
}).annotate({ identifier: "Segment" })
export interface Segment extends Schema.Schema.Type<typeof Segment> {}

/** A sub-agent seen in a conversation (created or commanded through a tool). */
export const Agent = Schema.Struct({
  name: Schema.String,
  status: Schema.String,
  lastSeq: Schema.Natural,
  updatedAt: Schema.Natural
}).annotate({ identifier: "Agent" })
export interface Agent extends Schema.Schema.Type<typeof Agent> {}
