import { Context, type Effect } from "effect"
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

export interface Summary {
  readonly text: string
  readonly tokens: number
}

/** Condenses messages to one text. Never fails: whatever goes wrong inside, an extractive summary comes back. */
export class Summarizer extends Context.Service<
  Summarizer,
  { readonly summarize: (request: SummaryRequest) => Effect.Effect<Summary> }
>()("sluice/context/Summarizer") {}
