import type { Effect } from "effect"
import type { Detail, StoredMessage } from "../domain/Conversation.ts"

/** A run of whole turns (or whole tool rounds) to condense. */
export interface SummaryRequest {
  readonly conversation: string
  readonly detail: Detail
  readonly messages: ReadonlyArray<StoredMessage>
  /** The summary's text must not count more tokens than this. */
  readonly maxTokens: number
  readonly model: string
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

/** What a Summarizer does, whoever does it. */
export interface Summarizes {
  readonly summarize: (request: SummaryRequest) => Effect.Effect<Summary>
  readonly merge: (request: MergeRequest) => Effect.Effect<Summary>
}
