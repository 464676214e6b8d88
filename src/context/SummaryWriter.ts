import { Context, type Effect, Schema } from "effect"

/** What a model is asked to find in a run of messages. Each item is one short sentence. */
export const WrittenSummary = Schema.Struct({
  intents: Schema.Array(Schema.String),
  constraints: Schema.Array(Schema.String),
  decisions: Schema.Array(Schema.String),
  agents: Schema.Array(Schema.String),
  outcomes: Schema.Array(Schema.String),
  openQuestions: Schema.Array(Schema.String)
}).annotate({ identifier: "WrittenSummary" })
export interface WrittenSummary extends Schema.Schema.Type<typeof WrittenSummary> {}

/** No summary was written: the extractive one stays. */
export class NotWritten extends Schema.TaggedError<NotWritten>()("NotWritten", { reason: Schema.String }) {
  override get message(): string {
    return `No summary was written: ${this.reason}. The extractive one stays.`
  }
}

export interface WriteRequest {
  readonly conversation: string
  /** Who pays; the stored conversation's tenant by default. */
  readonly tenant?: string | undefined
  /** The messages as text, already bounded. */
  readonly source: string
  readonly words: number
}

/** Asks a model for a summary. What it answers is checked by whoever asked. */
export class SummaryWriter extends Context.Service<
  SummaryWriter,
  { readonly write: (request: WriteRequest) => Effect.Effect<WrittenSummary, NotWritten> }
>()("sluice/context/SummaryWriter") {}
