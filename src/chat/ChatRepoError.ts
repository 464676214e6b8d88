import { Effect, Schema } from "effect"

export class ConversationNotFound extends Schema.TaggedError<ConversationNotFound>()("ConversationNotFound", {
  conversation: Schema.String
}) {
  override get message(): string {
    return `There is no conversation "${this.conversation}". Create it first, or list the existing ones.`
  }
}

/** `invalid`: what was asked cannot be stored. `conflict`: somebody else's is in the way. `corrupt`: what is stored cannot be read. */
export const ChatRepoErrorKind = Schema.Literals(["unavailable", "invalid", "conflict", "corrupt"])

/** The database did not do what it was asked. `reason` is for the log; nothing that was acknowledged is lost. */
export class ChatRepoError extends Schema.TaggedError<ChatRepoError>()("ChatRepoError", {
  operation: Schema.String,
  reason: Schema.String,
  retryable: Schema.Boolean,
  kind: ChatRepoErrorKind.pipe(Schema.withConstructorDefault(Effect.succeed("unavailable" as const)))
}) {
  override get message(): string {
    const who =
      this.kind === "unavailable" || this.kind === "corrupt" ? "The database could not" : "It is not possible to"
    return `${who} ${this.operation}: ${this.reason}.${this.retryable ? " Try again." : ""}`
  }
}
