import { type Effect, Schema } from "effect"
import type { ChatRepoError, ConversationNotFound } from "../chat/ChatRepo.ts"
import type { ContextTooLarge } from "../context/ContextManager.ts"
import type { Priority } from "../domain/Caller.ts"
import type { ContentBlock } from "../domain/Message.ts"
import type { AssistantMessage, ToolDefinition } from "../domain/MessagesRequest.ts"
import type { GovernorError, Settlement } from "../governor/Governor.ts"

/** The message cannot be taken: nothing was stored. */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>()("InvalidMessage", {
  message: Schema.String
}) {}

/** The model went on calling tools for too long. Everything up to here is stored. */
export class TooManyToolRounds extends Schema.TaggedError<TooManyToolRounds>()("TooManyToolRounds", {
  rounds: Schema.Natural
}) {
  override get message(): string {
    return `The model called tools ${this.rounds} times in a row without finishing. Send another message to go on.`
  }
}

export type OrchestratorError =
  | GovernorError
  | ContextTooLarge
  | ConversationNotFound
  | ChatRepoError
  | InvalidMessage
  | TooManyToolRounds

export interface ToolContext {
  readonly conversation: string
  readonly tenant: string
  readonly agent: string
  readonly toolUseId: string
}

/** A tool the orchestrator runs itself. A failure becomes a `tool_result` with `is_error`, never the end of the turn. */
export interface Tool {
  readonly definition: ToolDefinition
  readonly run: (
    input: unknown,
    context: ToolContext
  ) => Effect.Effect<string | ReadonlyArray<ContentBlock>, { readonly message: string }>
}

export interface SendOptions {
  readonly model?: string | undefined
  readonly agent?: string | undefined
  readonly priority?: Priority | undefined
  readonly system?: string | ReadonlyArray<ContentBlock> | undefined
  /** Added to the built-in tools (`report_cost`, `list_agents`). */
  readonly tools?: ReadonlyArray<Tool> | undefined
  /** Output tokens of one answer: 8,192 by default, or what the model can write. */
  readonly maxTokens?: number | undefined
  /** Rounds of tool calls before the turn fails with `TooManyToolRounds`: 50 by default. */
  readonly maxToolRounds?: number | undefined
}

/** What a turn tells while it runs. The last one is `Done`. */
export type TurnEvent =
  | { readonly _tag: "TextDelta"; readonly text: string }
  | { readonly _tag: "ToolCall"; readonly id: string; readonly name: string; readonly input: unknown }
  | {
      readonly _tag: "ToolResult"
      readonly id: string
      readonly isError: boolean
      readonly content: string | ReadonlyArray<ContentBlock>
    }
  | {
      readonly _tag: "Done"
      readonly message: AssistantMessage
      readonly settlements: ReadonlyArray<Settlement>
      readonly context: {
        readonly tokens: number
        readonly rawTokens: number
        readonly reduction: number
        readonly percentOfLimit: number
        readonly segments: number
      }
    }
