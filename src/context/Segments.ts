import { hash } from "node:crypto"
import { Effect } from "effect"
import type { Detail, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Summarizer } from "./Summarizer.ts"

export interface SegmentMaker {
  readonly conversation: string
  readonly model: string
  readonly summarizer: Summarizer["Service"]
  /** Tokens one segment of each detail may take. */
  readonly maxTokens: Readonly<Record<Detail, number>>
}

const digest = (detail: string, parts: ReadonlyArray<string>): string =>
  hash("sha256", [detail, ...parts].join("\u0000"), "hex")

/** Condenses whole messages. The hash covers what is condensed and how strongly, so the same run gives the same segment. */
export const make = Effect.fnUntraced(function* (
  maker: SegmentMaker,
  detail: Detail,
  messages: ReadonlyArray<StoredMessage>
) {
  const { conversation, maxTokens, model, summarizer } = maker
  const { text, tokens } = yield* summarizer.summarize({
    conversation,
    detail,
    messages,
    maxTokens: maxTokens[detail],
    model
  })
  const segment: Segment = {
    hash: digest(
      detail,
      messages.map((message) => `${message.role}:${JSON.stringify(message.content)}`)
    ),
    detail,
    from: messages[0]?.seq ?? 0,
    to: (messages.at(-1)?.seq ?? -1) + 1,
    text,
    tokens,
    createdAt: messages.at(-1)?.createdAt ?? 0
  }
  return segment
})

/** One heavy segment in place of several neighbours. */
const mergeRun = Effect.fnUntraced(function* (maker: SegmentMaker, run: ReadonlyArray<Segment>, maxTokens: number) {
  const { conversation, model, summarizer } = maker
  const { text, tokens } = yield* summarizer.merge({ conversation, texts: run.map((s) => s.text), maxTokens, model })
  const merged: Segment = {
    hash: digest(
      "merged",
      run.map((s) => s.hash)
    ),
    detail: "heavy",
    from: run[0]?.from ?? 0,
    to: run.at(-1)?.to ?? 0,
    text,
    tokens,
    createdAt: run.at(-1)?.createdAt ?? 0
  }
  return merged
})

const total = (segments: ReadonlyArray<Segment>): number => segments.reduce((sum, s) => sum + s.tokens, 0)

/**
 * Keeps the heavy segments within `budget` tokens: when they outgrow it, the older half becomes one segment of a third of
 * the budget. That rewrites the prefix, so it happens rarely: each time makes room for as many segments as it removed.
 */
export const boundHeavy = Effect.fnUntraced(function* (
  maker: SegmentMaker,
  heavy: ReadonlyArray<Segment>,
  budget: number
) {
  if (total(heavy) <= budget || heavy.length < 2) return heavy
  let count = 0
  let tokens = 0
  for (const segment of heavy) {
    if (count >= 2 && tokens >= total(heavy) * 0.6) break
    tokens += segment.tokens
    count++
  }
  const merged = yield* mergeRun(maker, heavy.slice(0, count), Math.max(100, Math.floor(budget / 3)))
  return [merged, ...heavy.slice(count)]
})
