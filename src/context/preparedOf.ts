import type { StoredMessage } from "../domain/Conversation.ts"
import type { Estimate } from "../tokens/TokenEstimator.ts"
import type { Decision } from "./CompactionPolicy.ts"
import type { Dressed } from "./Dress.ts"
import { entriesOf } from "./entries.ts"
import { compactionBeta } from "./HistoryCompactor.ts"
import { segmentsOf } from "./Layout.ts"
import { lostEnd, markedAt } from "./Lookback.ts"
import { openingBreakpoints, tailMark, withoutBreakpoint } from "./Prepared.ts"
import type { PreparedContext } from "./PreparedContext.ts"
import type { Window } from "./Window.ts"

interface Parts {
  readonly window: Window
  readonly dressed: Dressed
  readonly estimate: Estimate
  readonly decision: Decision
  /** Of system and tools. */
  readonly shellTokens: number
  readonly tokens: (message: StoredMessage) => number
}

/** Breakpoints that upstream takes. */
const most = 4

/** Messages, and what surrounds them, with breakpoints where upstream has to find what it holds. */
const placed = ({ dressed, window }: Parts) => {
  const messages = Array.from(window.messages)
  const inside = openingBreakpoints(window.layout)
  const lost = lostEnd(messages)
  if (lost === undefined)
    return { ...dressed, messages, breakpoints: [...dressed.breakpoints, ...inside, "end"] as const }
  const breakpoints = [...inside, "round", "end"] as const
  // For this one request the mark behind system or tools gives way: what it would find is found at the others.
  const full = breakpoints.length + dressed.breakpoints.length > most
  const { breakpoints: own, system, tools } = full ? { ...withoutBreakpoint(dressed), breakpoints: [] } : dressed
  return {
    system,
    tools,
    messages: markedAt(messages, lost, tailMark(window.layout)),
    breakpoints: [...own, ...breakpoints]
  }
}

/** The request that a window and a decision come to. */
export const preparedOf = (parts: Parts): PreparedContext => {
  const { decision, estimate, shellTokens, tokens, window } = parts
  const { layout } = window
  const { breakpoints, messages, system, tools } = placed(parts)
  return {
    messages,
    system,
    tools,
    entries: entriesOf(segmentsOf(layout), window.full, tokens),
    estimatedTokens: estimate.tokens,
    upperBound: estimate.upperBound,
    rawMessages: window.next,
    rawTokens: shellTokens + layout.rawTokens + window.rawTokens,
    cacheControl: tailMark(layout),
    longLived: layout.longLived,
    breakpoints,
    betas: layout.upstream === null ? [] : [compactionBeta],
    compaction: decision.compact ? decision.reason : undefined,
    decision
  }
}
