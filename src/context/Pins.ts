import { Effect, Schema } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import * as Standing from "./Standing.ts"

/** There is no message of that number, so nothing can be kept of it. */
export class MessageNotFound extends Schema.TaggedError<MessageNotFound>()("MessageNotFound", {
  conversation: Schema.String,
  seq: Schema.Natural
}) {
  override get message(): string {
    return `Conversation "${this.conversation}" has no message ${this.seq}: its messages are numbered from 0, in order.`
  }
}

/** All pins of the conversation are taken. */
export class TooManyPins extends Schema.TaggedError<TooManyPins>()("TooManyPins", {
  conversation: Schema.String,
  pins: Schema.Array(Schema.Natural)
}) {
  override get message(): string {
    return `${this.pins.length} messages of conversation "${this.conversation}" are pinned, and there is room for no more: unpin one of ${this.pins.join(", ")} first.`
  }
}

export const pinsOf = ({ pinned }: Standing.Standing): ReadonlyArray<number> => pinned.map(({ seq }) => seq)

/** The state with this message pinned, unless every pin is taken by another one. */
export const pinned = (
  standing: Standing.Standing,
  message: StoredMessage,
  conversation: string
): Effect.Effect<Standing.Standing, TooManyPins> => {
  const pins = pinsOf(standing)
  const isFull = pins.length >= Standing.mostPinned && !pins.includes(message.seq)
  return isFull ? Effect.fail(new TooManyPins({ conversation, pins })) : Effect.succeed(Standing.pin(standing, message))
}
