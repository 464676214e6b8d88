import { hash } from "node:crypto"
import { Effect, Schema } from "effect"
import type { Segment } from "../domain/Conversation.ts"
import { ContentBlock } from "../domain/Message.ts"
import { nothing, Standing } from "./Standing.ts"

/** A signed `compaction` block as upstream made it, and about how many tokens it takes. */
const UpstreamBlock = Schema.Struct({
  block: ContentBlock,
  tokens: Schema.Natural
})
export interface UpstreamBlock extends Schema.Schema.Type<typeof UpstreamBlock> {}

/**
 * What a prepared context is made of, as fixed by the last compaction: the segments that stand for `[0, boundary)`, and
 * full messages from there on. Together with the stored messages it gives the same bytes again after a restart.
 */
export interface Layout {
  /** Upstream's own block in place of all messages before `boundary`; then there are no segments. */
  readonly upstream: UpstreamBlock | null
  readonly boundary: number
  readonly segments: ReadonlyArray<Segment>
  readonly thinkingFrom: number
  /** Message number → characters per block. */
  readonly shrunk: ReadonlyMap<number, number>
  readonly compactions: number
  /** Idle times between five minutes and an hour that this conversation has had. */
  readonly pauses: number
  /** True when system, tools and heavy segments are marked to be kept for an hour: it has pauses. */
  readonly longLived: boolean
  /** True when all of the prompt is: it has so many that this pays. */
  readonly longTail: boolean
  /** Tokens of all messages before `boundary`, had they been sent in full. */
  readonly rawTokens: number
  /** As it stands in the context, and as the next compaction will write it. */
  readonly standing: Standing
  readonly upcoming: Standing
  /** The conversation's name for `recall_history`, where the context says it; fixed by the last compaction. */
  readonly recallAs?: string
}

export const empty: Layout = {
  upstream: null,
  boundary: 0,
  segments: [],
  thinkingFrom: 0,
  shrunk: new Map(),
  compactions: 0,
  pauses: 0,
  longLived: false,
  longTail: false,
  rawTokens: 0,
  standing: nothing,
  upcoming: nothing
}

const Stored = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    upstream: Schema.NullOr(UpstreamBlock).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
    boundary: Schema.Natural,
    segments: Schema.Array(Schema.String),
    thinkingFrom: Schema.Natural,
    shrunk: Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural])),
    compactions: Schema.Natural,
    pauses: Schema.Natural,
    longLived: Schema.Boolean,
    longTail: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
    rawTokens: Schema.Natural,
    standing: Standing,
    upcoming: Standing
  })
)

const decodeStored = Schema.decodeUnknownOption(Stored)
const encodeStored = Schema.encodeSync(Stored)

export const encode = (layout: Layout): string =>
  encodeStored({
    version: 1,
    upstream: layout.upstream,
    boundary: layout.boundary,
    segments: layout.segments.map((segment) => segment.hash),
    thinkingFrom: layout.thinkingFrom,
    shrunk: Array.from(layout.shrunk),
    compactions: layout.compactions,
    pauses: layout.pauses,
    longLived: layout.longLived,
    longTail: layout.longTail,
    rawTokens: layout.rawTokens,
    standing: layout.standing,
    upcoming: layout.upcoming
  })

/** The segments that a stored layout is made of; none where it is unreadable. */
export const hashesIn = (text: string): ReadonlyArray<string> => {
  const stored = decodeStored(text)
  return stored._tag === "None" ? [] : stored.value.segments
}

const areContiguous = (segments: ReadonlyArray<Segment>): boolean =>
  segments.every(({ from }, index) => index === 0 || from === segments[index - 1]?.to)

/**
 * Finds the layout's segments again; undefined when one is missing, when they leave messages out, or when the text is not
 * a layout: then it starts anew.
 */
export const decode = (text: string, segments: ReadonlyArray<Segment>): Layout | undefined => {
  const stored = decodeStored(text)
  if (stored._tag === "None") return undefined
  const byHash = new Map(segments.map((segment) => [segment.hash, segment]))
  const found = stored.value.segments.flatMap((hash) => byHash.get(hash) ?? [])
  if (found.length !== stored.value.segments.length || !areContiguous(found)) return undefined
  const { shrunk, version: _, ...rest } = stored.value
  return { ...rest, segments: found, shrunk: new Map(shrunk) }
}

/** What stands for the messages before the boundary: the segments, or upstream's block read as a heavy one. */
export const segmentsOf = ({ boundary, segments, upstream }: Layout): ReadonlyArray<Segment> => {
  if (upstream === null) return segments
  const text = typeof upstream.block.content === "string" ? upstream.block.content : ""
  const digest = hash("sha256", `upstream\u0000${text}`, "hex")
  return [{ hash: digest, detail: "heavy", from: 0, to: boundary, text, tokens: upstream.tokens, createdAt: 0 }]
}

/**
 * What a conversation that shares only the messages before `shared` may go on from: nothing where more was condensed. What
 * was thought behind a condensed beginning is bound to it, so the whole history goes without.
 */
export const forFork = (layout: Layout, shared: number): Layout =>
  layout.boundary > shared
    ? { ...empty, thinkingFrom: shared }
    : {
        ...layout,
        thinkingFrom: Math.min(layout.thinkingFrom, shared),
        shrunk: new Map(Array.from(layout.shrunk).filter(([seq]) => seq < shared))
      }

/** The layout as a compaction writes it that names the conversation so, or not at all. */
export const namedForRecall = (layout: Layout, recallAs: string | undefined): Layout => {
  const { recallAs: _, ...rest } = layout
  return recallAs === undefined ? rest : { ...rest, recallAs }
}

/** The layout with segments only: what an own compaction goes on from. */
export const ownSegments = (layout: Layout): Layout =>
  layout.upstream === null ? layout : { ...layout, upstream: null, segments: segmentsOf(layout) }
