import { hash } from "node:crypto"
import { Effect } from "effect"
import type { Detail, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Summarizer } from "./Summarizer.ts"

export interface SegmentMaker {
  readonly conversation: string
  readonly model: string
  readonly summarizer: Summarizer["Service"]
  /** Tokens one segment of each detail may take, when it covers `fullRun` messages or more. */
  readonly maxTokens: Readonly<Record<Detail, number>>
  readonly fullRun: number
}

/** Few messages get a share of the room, but enough for what they were about. */
const least: Readonly<Record<Detail, number>> = { light: 120, heavy: 80 }

const roomFor = ({ fullRun, maxTokens }: SegmentMaker, detail: Detail, messages: number): number =>
  Math.min(maxTokens[detail], Math.max(least[detail], Math.ceil((maxTokens[detail] * messages) / fullRun)))

const digest = (detail: string, parts: ReadonlyArray<string>): string =>
  hash("sha256", [detail, ...parts].join("\u0000"), "hex")

/** As the database takes it: what is sent now and what is sent after a restart are the same. */
const storable = (text: string): string => text.replaceAll("\u0000", "").toWellFormed()

/**
 * Condenses whole messages. The hash covers what is condensed, where it stands and how strongly, and what was made of it:
 * a model may say it in other words when it is asked again (after a `kill -9`, in another process), and a layout must find
 * the words that it was sent with.
 */
export const make = Effect.fnUntraced(function* (
  maker: SegmentMaker,
  detail: Detail,
  messages: ReadonlyArray<StoredMessage>
) {
  const { conversation, model, summarizer } = maker
  const maxTokens = roomFor(maker, detail, messages.length)
  const summary = yield* summarizer.summarize({ conversation, detail, messages, maxTokens, model })
  const text = storable(summary.text)
  const covered = messages.map((message) => `${message.seq}:${message.role}:${JSON.stringify(message.content)}`)
  const segment: Segment = {
    hash: digest(detail, [...covered, text]),
    detail,
    from: messages[0]?.seq ?? 0,
    to: (messages.at(-1)?.seq ?? -1) + 1,
    text,
    tokens: summary.tokens,
    createdAt: messages.at(-1)?.createdAt ?? 0
  }
  return segment
})

/** One heavy segment in place of several neighbours. */
const mergeRun = Effect.fnUntraced(function* (maker: SegmentMaker, run: ReadonlyArray<Segment>, maxTokens: number) {
  const { conversation, model, summarizer } = maker
  const summary = yield* summarizer.merge({ conversation, texts: run.map((s) => s.text), maxTokens, model })
  const text = storable(summary.text)
  const merged: Segment = {
    hash: digest("merged", [...run.map((s) => s.hash), text]),
    detail: "heavy",
    from: run[0]?.from ?? 0,
    to: run.at(-1)?.to ?? 0,
    text,
    tokens: summary.tokens,
    createdAt: run.at(-1)?.createdAt ?? 0
  }
  return merged
})

export const total = (segments: ReadonlyArray<Segment>): number => segments.reduce((sum, s) => sum + s.tokens, 0)

/** How many of the oldest segments make up `share` of the tokens; two at least. */
const oldest = (segments: ReadonlyArray<Segment>, share: number): number => {
  const wanted = total(segments) * share
  let tokens = 0
  const count = segments.findIndex((segment) => {
    tokens += segment.tokens
    return tokens >= wanted
  })
  return Math.min(segments.length, Math.max(2, count + 1))
}

/**
 * Keeps the heavy segments within `budget` tokens: when they outgrow it, the older ones become one segment of a third of
 * the budget. That rewrites the prefix, so it happens rarely: each time makes room for as many segments as it removed.
 */
export const boundHeavy = Effect.fnUntraced(function* (
  maker: SegmentMaker,
  heavy: ReadonlyArray<Segment>,
  budget: number
) {
  let segments = heavy
  while (total(segments) > budget && segments.length > 1) {
    const count = oldest(segments, 0.6)
    const merged = yield* mergeRun(maker, segments.slice(0, count), Math.floor(budget / 3))
    segments = [merged, ...segments.slice(count)]
  }
  return segments
})
