import type { Effect } from "effect"
import type { Detail, StoredMessage } from "../domain/Conversation.ts"
import type { Message } from "../domain/Message.ts"
import type { UpstreamBlock } from "./Layout.ts"
import type { Shell } from "./PreparedContext.ts"

/** A run of whole turns (or whole tool rounds) to condense. */
export interface SummaryRequest {
  readonly conversation: string
  readonly detail: Detail
  readonly messages: ReadonlyArray<StoredMessage>
  /** The summary's text must not count more tokens than this. */
  readonly maxTokens: number
  readonly model: string
  /** Who pays for a model's summary; the stored conversation's tenant by default. */
  readonly tenant?: string | undefined
}

/** Older summaries, in order, that are to become one. */
export interface MergeRequest {
  readonly conversation: string
  readonly texts: ReadonlyArray<string>
  readonly maxTokens: number
  readonly model: string
}

export interface Summary {
  readonly text: string
  readonly tokens: number
}

/** Everything before message `upTo`, which starts a turn, for upstream to condense. */
export interface BlockRequest {
  readonly conversation: string
  readonly shell: Shell
  readonly upTo: number
  /** As they were sent, and what the summary must hold; taken only when upstream is asked. */
  readonly messages: () => ReadonlyArray<Message>
  readonly keep: () => string
}

/** Upstream's block for the messages before `upTo`; or it is being made; or it cannot be had. */
export type BlockAnswer = (UpstreamBlock & { readonly upTo: number }) | "pending" | "unavailable"

/** What a Summarizer does, whoever does it. Nothing of it fails or waits for a model. */
export interface Summarizes {
  readonly summarize: (request: SummaryRequest) => Effect.Effect<Summary>
  readonly merge: (request: MergeRequest) => Effect.Effect<Summary>
  /** This run will be asked for at a compaction to come: whoever writes slowly can begin. Returns at once. */
  readonly ahead: (request: SummaryRequest) => Effect.Effect<void>
  /** Nano-dollars that summaries of so many tokens are expected to cost; 0 without a model. */
  readonly costNanoUsd: (tokens: number) => number
  /** Where upstream condenses the history itself, so that kept turns keep their thinking. Returns at once. */
  readonly block?: (request: BlockRequest) => Effect.Effect<BlockAnswer>
  /** The same without a model, where one writes: for conversations that nobody here pays for. */
  readonly extractive?: Summarizes
}
