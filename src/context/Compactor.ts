import { Effect } from "effect"
import type { Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Message } from "../domain/Message.ts"
import type { Layout } from "./Layout.ts"
import { currentRound, cutAtOrAfter, cutAtOrBefore } from "./Rounds.ts"
import { boundHeavy, make, type SegmentMaker } from "./Segments.ts"
import { longestBlock, shrinkContent } from "./Shrink.ts"

/** How far one compaction goes. */
export interface Plan {
  /** Messages, and tokens of them, that stay in full. */
  readonly recentMessages: number
  readonly recentTokens: number
  /** Of those, this many newest stay uncut; blocks of the others are cut to `chars`. */
  readonly freshMessages: number
  readonly chars: number
}

export interface Bands {
  readonly midMessages: number
  /** Messages per segment, about. */
  readonly segmentMessages: number
  /** Tokens of all heavy segments together. */
  readonly heavyTokens: number
}

export interface Source {
  /** Messages from the oldest light segment (or the boundary) on, in order, without gaps. */
  readonly retained: ReadonlyArray<StoredMessage>
  readonly layout: Layout
  readonly tokens: (message: Message) => number
}

/** Where the recent band starts (index into `messages`): a legal cut; never after the start of the current round. */
export const recentStart = (source: Source, plan: Plan): number => {
  const { retained: messages } = source
  const round = currentRound(messages)
  let start = messages.length
  let left = plan.recentTokens
  while (start > 0 && messages.length - start < plan.recentMessages) {
    const message = messages[start - 1]
    if (message === undefined || message.seq < source.layout.boundary) break
    const aged = messages.length - start >= plan.freshMessages
    const content = aged ? shrinkContent(message.content, plan.chars) : message.content
    left -= source.tokens(content === message.content ? message : { role: message.role, content })
    if (left < 0) break
    start--
  }
  return Math.min(round, cutAtOrAfter(messages, Math.min(start, round)))
}

/** Runs of about `size` messages between legal cuts. */
const runs = (
  messages: ReadonlyArray<StoredMessage>,
  from: number,
  to: number,
  size: number
): ReadonlyArray<ReadonlyArray<StoredMessage>> => {
  const out: Array<ReadonlyArray<StoredMessage>> = []
  for (let start = from; start < to; ) {
    const rest = to - start
    const end = rest <= size * 1.5 ? to : cutAtOrBefore(messages, start + size, start)
    const stop = end > start ? end : Math.min(to, cutAtOrAfter(messages, start + 1))
    out.push(messages.slice(start, stop))
    start = stop
  }
  return out
}

/** Makes the segments that the new boundary asks for: light ones behind it, heavy ones where light ones have aged. */
const segmentsUpTo = Effect.fnUntraced(function* (source: Source, boundary: number, bands: Bands, maker: SegmentMaker) {
  const { layout, retained } = source
  const base = retained[0]?.seq ?? 0
  const aged = base + retained.length - bands.midMessages
  const slice = (from: number, to: number) => retained.slice(Math.max(0, from - base), Math.max(0, to - base))
  const heavy: Array<Segment> = layout.segments.filter((s) => s.detail === "heavy")
  const light: Array<Segment> = []
  for (const segment of layout.segments) {
    if (segment.detail === "heavy") continue
    const ages = segment.to <= aged && segment.from >= base
    if (ages) heavy.push(yield* make(maker, "heavy", slice(segment.from, segment.to)))
    else light.push(segment)
  }
  for (const run of runs(retained, layout.boundary - base, boundary - base, bands.segmentMessages)) {
    const last = run.at(-1)
    const old = light.length === 0 && last !== undefined && last.seq < aged
    ;(old ? heavy : light).push(yield* make(maker, old ? "heavy" : "light", run))
  }
  return [...(yield* boundHeavy(maker, heavy, bands.heavyTokens)), ...light]
})

const shrunkBy = (messages: ReadonlyArray<StoredMessage>, start: number, plan: Plan): ReadonlyMap<number, number> => {
  const shrunk = new Map<number, number>()
  messages.slice(start).forEach((message, offset) => {
    const aged = messages.length - (start + offset) > plan.freshMessages
    if (aged && longestBlock(message.content) > plan.chars) shrunk.set(message.seq, plan.chars)
  })
  return shrunk
}

/** The layout after a compaction by `plan`. Messages it does not cover keep their bytes; segments that exist stay. */
export const compact = Effect.fnUntraced(function* (source: Source, plan: Plan, bands: Bands, maker: SegmentMaker) {
  const { layout, retained } = source
  const base = retained[0]?.seq ?? 0
  const boundary = Math.max(layout.boundary, base + recentStart(source, plan))
  const segments = yield* segmentsUpTo(source, boundary, bands, maker)
  const passed = retained.slice(Math.max(0, layout.boundary - base), boundary - base)
  const next: Layout = {
    boundary,
    segments,
    thinkingFrom: base + retained.length,
    shrunk: shrunkBy(retained, boundary - base, plan),
    compactions: layout.compactions + 1,
    rawTokens: layout.rawTokens + passed.reduce((sum, message) => sum + source.tokens(message), 0)
  }
  return next
})
