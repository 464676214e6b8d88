import { Schema } from "effect"
import type { Segment } from "../domain/Conversation.ts"
import { nothing, Standing } from "./Standing.ts"

/**
 * What a prepared context is made of, as fixed by the last compaction: the segments that stand for `[0, boundary)`, and
 * full messages from there on. Together with the stored messages it gives the same bytes again after a restart.
 */
export interface Layout {
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
  /** Tokens of all messages before `boundary`, had they been sent in full. */
  readonly rawTokens: number
  /** As it stands in the context, and as the next compaction will write it. */
  readonly standing: Standing
  readonly upcoming: Standing
}

export const empty: Layout = {
  boundary: 0,
  segments: [],
  thinkingFrom: 0,
  shrunk: new Map(),
  compactions: 0,
  pauses: 0,
  longLived: false,
  rawTokens: 0,
  standing: nothing,
  upcoming: nothing
}

const Stored = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    boundary: Schema.Natural,
    segments: Schema.Array(Schema.String),
    thinkingFrom: Schema.Natural,
    shrunk: Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural])),
    compactions: Schema.Natural,
    pauses: Schema.Natural,
    longLived: Schema.Boolean,
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
    boundary: layout.boundary,
    segments: layout.segments.map((segment) => segment.hash),
    thinkingFrom: layout.thinkingFrom,
    shrunk: Array.from(layout.shrunk),
    compactions: layout.compactions,
    pauses: layout.pauses,
    longLived: layout.longLived,
    rawTokens: layout.rawTokens,
    standing: layout.standing,
    upcoming: layout.upcoming
  })

/** Finds the layout's segments again; undefined when one is missing or the text is not a layout: then it starts anew. */
export const decode = (text: string, segments: ReadonlyArray<Segment>): Layout | undefined => {
  const stored = decodeStored(text)
  if (stored._tag === "None") return undefined
  const byHash = new Map(segments.map((segment) => [segment.hash, segment]))
  const found = stored.value.segments.flatMap((hash) => byHash.get(hash) ?? [])
  if (found.length !== stored.value.segments.length) return undefined
  const { shrunk, version: _, ...rest } = stored.value
  return { ...rest, segments: found, shrunk: new Map(shrunk) }
}
