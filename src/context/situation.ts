import type { Model } from "../models/ModelCatalog.ts"
import type { Estimate } from "../tokens/TokenEstimator.ts"
import { cacheLifetimeMillis, type Situation } from "./CompactionPolicy.ts"
import { recentTokens, type Source } from "./Compactor.ts"
import { type Layout, segmentsOf } from "./Layout.ts"
import type { Outlook } from "./Outlook.ts"
import { plans } from "./Plans.ts"
import { hourMillis, type Rhythm } from "./Rhythm.ts"

/** What a conversation knows of itself when it decides. */
export interface View {
  readonly source: Source
  readonly layout: Layout
  readonly rhythm: Rhythm
  readonly outlook: Outlook
  readonly model: Model
  readonly objective: Situation["objective"]
  /** Tokens: the ceiling, and what system and tools take of it. */
  readonly maxTokens: number
  readonly shell: Estimate
  readonly recentMessages: number
  readonly maxMessages: number
  readonly fullMessages: number
  readonly hasThinking: boolean
  /** Nano-dollars that summaries of so many tokens cost; 0 without a model. */
  readonly summaryNanoUsd: (tokens: number) => number
}

/** Dropped thinking is partly done again: 2.5 to 20 % more output when it happens once a session. */
const rethought = 0.1

const heavyTokens = ({ segments }: Layout): number =>
  segments.reduce((sum, segment) => (segment.detail === "heavy" ? sum + segment.tokens : sum), 0)

const floorOf = ({ layout, maxTokens, recentMessages, shell, source }: View): number => {
  const [plan] = plans(maxTokens - shell.upperBound, recentMessages)
  if (plan === undefined) return 0
  const segments = segmentsOf(layout).reduce((sum, segment) => sum + segment.tokens, 0)
  return shell.tokens + segments + recentTokens(source, plan)
}

/** What the policy looks at. The floor is counted when it is asked for, once. */
export const situationOf = (view: View, { tokens, upperBound }: Estimate): Situation => {
  const { layout, maxTokens, model, objective, rhythm } = view
  const { longContext, prices } = model
  const write = layout.longTail ? prices.cacheWrite1h : prices.cacheWrite5m
  const stableTokens = view.shell.tokens + heavyTokens(layout)
  let floor: number | undefined
  const floorTokens = () => {
    floor ??= floorOf(view)
    return floor
  }
  return {
    objective,
    tokens,
    upperBound,
    limit: objective === "dollars" && longContext !== undefined ? Math.min(maxTokens, longContext.above) : maxTokens,
    fullMessages: view.fullMessages,
    maxMessages: view.maxMessages,
    floorTokens,
    stableTokens,
    freshTokens: rhythm.freshTokens(tokens),
    expectedRequests: view.outlook.expected(rhythm.requests),
    coldShare: view.outlook.coldShare,
    idleMillis: rhythm.idleMillis(view.source.retained.at(-1)?.createdAt),
    lifetimeMillis: layout.longTail ? hourMillis : cacheLifetimeMillis,
    prices: { read: rhythm.readShare * prices.cacheRead + (1 - rhythm.readShare) * write, write },
    excessNanoUsd: rhythm.excessNanoUsd,
    extraNanoUsd:
      view.summaryNanoUsd(Math.max(0, tokens - stableTokens)) +
      (view.hasThinking ? rethought * rhythm.outputTokens * prices.output : 0)
  }
}
