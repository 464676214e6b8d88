import { Event } from "../domain/Event.ts"
import { nanoUsd } from "../domain/Money.ts"
import type { PreparedContext } from "./PreparedContext.ts"

/** What is told of a compaction; `tokensBefore` is what would have been sent without it. */
export const compactionEvent = (conversation: string, prepared: PreparedContext, tokensBefore: number): Event =>
  Event.cases.Compaction.make({
    conversation,
    reason: prepared.compaction ?? "",
    cause: prepared.decision.cause ?? "other",
    savesNanoUsd: nanoUsd(prepared.decision.savesNanoUsd),
    tokensBefore,
    tokensAfter: prepared.estimatedTokens,
    segments: prepared.entries.filter((entry) => entry.segment).length
  })
