import { Effect } from "effect"
import type { Segment, StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isToolResult, type Message } from "../domain/Message.ts"
import type { Layout, UpstreamBlock } from "./Layout.ts"
import { currentRound, cutAtOrAfter, cutAtOrBefore } from "./Rounds.ts"
import { boundHeavy, make, type SegmentMaker, total } from "./Segments.ts"
import { longestBlock, shrinkContent } from "./Shrink.ts"
import { gather, within } from "./Standing.ts"
import { superseded } from "./Superseded.ts"

/** How far one compaction goes. */
export interface Plan {
  /** Messages, and tokens of them, that stay in full. */
  readonly recentMessages: number
  readonly recentTokens: number
  /** Of those, this many newest stay uncut; blocks of the others are cut to `chars`. */
  readonly freshMessages: number
  readonly chars: number
  /** Tokens of all heavy, and of all light segments. */
  readonly heavyTokens: number
  readonly lightTokens: number
  /** Tokens of what holds for the whole conversation. */
  readonly standingTokens: number
}

export interface Bands {
  readonly midMessages: number
  readonly agentTools: ReadonlySet<string>
  /** Messages per segment, about. */
  readonly segmentMessages: number
}

export interface Source {
  /** Messages from the oldest light segment (or the boundary) on, in order, without gaps. */
  readonly retained: ReadonlyArray<StoredMessage>
  readonly layout: Layout
  readonly tokens: (message: Message) => number
}

/** Shrinking costs a pass over the content: each message is measured once per width. */
const cutTokens = new WeakMap<StoredMessage, { readonly chars: number; readonly tokens: number }>()

const tokensCut = (source: Source, message: StoredMessage, chars: number): number => {
  const known = cutTokens.get(message)
  if (known?.chars === chars) return known.tokens
  const content = shrinkContent(message.content, chars)
  const tokens = source.tokens(content === message.content ? message : { role: message.role, content })
  cutTokens.set(message, { chars, tokens })
  return tokens
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
    left -= aged ? tokensCut(source, message, plan.chars) : source.tokens(message)
    if (left < 0) break
    start--
  }
  return Math.min(round, cutAtOrAfter(messages, Math.min(start, round)))
}

/** What the recent band takes under the plan: all but its newest messages are cut. */
export const recentTokens = (source: Source, plan: Plan): number => {
  const { retained: messages } = source
  return messages.slice(recentStart(source, plan)).reduce((sum, message, index, { length }) => {
    const aged = length - index > plan.freshMessages
    return sum + (aged ? tokensCut(source, message, plan.chars) : source.tokens(message))
  }, 0)
}

/** Runs of about `size` messages between legal cuts. */
export const runs = (
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

interface Making {
  readonly source: Source
  readonly bands: Bands
  readonly plan: Plan
  readonly maker: SegmentMaker
}

/** Oldest first, light segments become heavy: when their messages have left the mid band, or there are too many of them. */
const ageing = Effect.fnUntraced(function* ({ bands, maker, plan, source }: Making, light: ReadonlyArray<Segment>) {
  const { retained } = source
  const base = retained[0]?.seq ?? 0
  const aged = base + retained.length - bands.midMessages
  const heavy: Array<Segment> = []
  let left = total(light)
  for (const segment of light) {
    if (segment.to > aged && left <= plan.lightTokens) break
    left -= segment.tokens
    heavy.push(yield* make(maker, "heavy", retained.slice(segment.from - base, segment.to - base)))
  }
  return [...heavy, ...light.slice(heavy.length)]
})

/** The segments that the new boundary asks for. Heavy ones that exist stay as they are, unless they outgrow their room. */
const segmentsUpTo = Effect.fnUntraced(function* (making: Making, boundary: number) {
  const { bands, maker, plan, source } = making
  const { layout, retained } = source
  const base = retained[0]?.seq ?? 0
  const fresh = runs(retained, layout.boundary - base, boundary - base, bands.segmentMessages)
  const light = layout.segments.filter((segment) => segment.detail === "light")
  const added = yield* Effect.forEach(fresh, (run) => make(maker, "light", run))
  const aged = yield* ageing(making, [...light, ...added])
  const heavy = [...layout.segments, ...aged].filter((segment) => segment.detail === "heavy")
  const bounded = yield* boundHeavy(maker, heavy, plan.heavyTokens)
  return [...bounded, ...aged.filter((segment) => segment.detail === "light")]
})

/** What is left of a result that a later call has overtaken, and how much longer an error may be. */
const overtakenChars = 400
const errorFactor = 2

const isError = (message: StoredMessage): boolean =>
  blocksOf(message.content).some((block) => isToolResult(block) && block.is_error === true)

const shrunkBy = (messages: ReadonlyArray<StoredMessage>, start: number, plan: Plan): ReadonlyMap<number, number> => {
  const shrunk = new Map<number, number>()
  const overtaken = superseded(messages)
  messages.slice(start).forEach((message, offset) => {
    const age = messages.length - (start + offset)
    const aged = age > plan.freshMessages
    const chars = aged ? plan.chars * (isError(message) ? errorFactor : 1) : Number.POSITIVE_INFINITY
    const limit = overtaken.has(message.seq) && age > 2 ? Math.min(chars, overtakenChars) : chars
    if (longestBlock(message.content) > limit) shrunk.set(message.seq, limit)
  })
  return shrunk
}

/** The layout after a compaction by `plan`. Messages it does not cover keep their bytes; segments that exist stay. */
export const compact = Effect.fnUntraced(function* (source: Source, plan: Plan, bands: Bands, maker: SegmentMaker) {
  const { layout, retained } = source
  const base = retained[0]?.seq ?? 0
  const boundary = Math.max(layout.boundary, base + recentStart(source, plan))
  const segments = yield* segmentsUpTo({ source, plan, bands, maker }, boundary)
  const passed = retained.slice(Math.max(0, layout.boundary - base), boundary - base)
  const upcoming = gather(layout.upcoming, passed, bands.agentTools)
  const standing = within(upcoming, (content) => source.tokens({ role: "user", content }) <= plan.standingTokens)
  const next: Layout = {
    upstream: null,
    boundary,
    segments,
    thinkingFrom: base + retained.length,
    shrunk: shrunkBy(retained, boundary - base, plan),
    compactions: layout.compactions + 1,
    pauses: layout.pauses,
    longLived: layout.pauses > 0 || layout.longTail,
    longTail: layout.longTail,
    rawTokens: layout.rawTokens + passed.reduce((sum, message) => sum + source.tokens(message), 0),
    standing,
    upcoming
  }
  return next
})

/** The layout with upstream's block for what it stands for: what follows keeps its bytes and its thinking. */
export const byBlock = (
  { layout, retained, tokens }: Source,
  { block, tokens: blockTokens, upTo }: UpstreamBlock & { readonly upTo: number },
  { agentTools }: Bands
): Layout | undefined => {
  if (upTo <= layout.boundary) return undefined
  const passed = retained.filter(({ seq }) => seq >= layout.boundary && seq < upTo)
  return {
    ...layout,
    upstream: { block, tokens: blockTokens },
    segments: [],
    boundary: upTo,
    shrunk: new Map(Array.from(layout.shrunk).filter(([seq]) => seq >= upTo)),
    compactions: layout.compactions + 1,
    longLived: layout.pauses > 0 || layout.longTail,
    rawTokens: layout.rawTokens + passed.reduce((sum, message) => sum + tokens(message), 0),
    upcoming: gather(layout.upcoming, passed, agentTools)
  }
}
