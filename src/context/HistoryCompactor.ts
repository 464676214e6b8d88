import { Context, type Effect } from "effect"
import type { ContentBlock, Message } from "../domain/Message.ts"
import type { Shell } from "./PreparedContext.ts"
import type { NotWritten } from "./SummaryWriter.ts"

/** The beta that a request needs which asks for a compaction block, or holds one. */
export const compactionBeta = "compact-2026-09-04"

export interface CompactHistory {
  readonly conversation: string
  /** Model, system and tools of the conversation, as its requests have them. */
  readonly shell: Shell
  /** Everything that the block will stand for, as it was sent; ends with an answered turn. */
  readonly messages: ReadonlyArray<Message>
  /** What the summary must hold; at most 16,384 characters. */
  readonly instructions: string
}

/** Upstream's on-demand compaction (`compact-2026-09-04`): condenses a whole history to one signed block. */
export class HistoryCompactor extends Context.Service<
  HistoryCompactor,
  { readonly compact: (history: CompactHistory) => Effect.Effect<ContentBlock, NotWritten> }
>()("sluice/context/HistoryCompactor") {}
