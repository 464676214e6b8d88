import { Clock, Effect } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Branch, Branches, StatelessOwner } from "./Branches.ts"

const stored = (
  messages: ReadonlyArray<Message>,
  from: number,
  timeOf: (message: Message) => number
): ReadonlyArray<StoredMessage> =>
  messages.slice(from).map((message, index) => ({
    seq: from + index,
    role: message.role,
    content: message.content,
    tokens: 0,
    createdAt: timeOf(message)
  }))

/** The places of requests among the branches: each is alone with the branch that holds exactly its messages. */
export class StatelessSeats {
  /** When a message was first sent here, in milliseconds since the epoch: it may be kept by several branches. */
  private readonly seenAt = new WeakMap<Message, number>()
  private readonly branches: Branches

  constructor(branches: Branches) {
    this.branches = branches
  }

  /** Runs with the request's branch, which has taken its messages in. */
  seated<A, E>(
    request: MessagesRequest,
    owner: StatelessOwner,
    run: (branch: Branch) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const branch = this.branches.seat(owner, request.messages)
      const { messages } = branch
      return branch.lock.withPermits(1)(
        Effect.suspend(() => {
          // Somebody else took the conversation further while this request waited.
          const own = branch.context.next > messages.length ? this.branches.forkAt(owner, branch, messages) : branch
          return Effect.andThen(this.take(request, own, messages), run(own))
        })
      )
    })
  }

  /** All messages of a branch, with the times at which they were first seen. */
  history({ messages }: Branch): Effect.Effect<ReadonlyArray<StoredMessage>> {
    return Effect.map(Clock.currentTimeMillis, (now) =>
      stored(messages, 0, (message) => this.seenAt.get(message) ?? now)
    )
  }

  private take({ model }: MessagesRequest, { context }: Branch, messages: ReadonlyArray<Message>): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      for (const message of messages.slice(context.next)) {
        if (!this.seenAt.has(message)) this.seenAt.set(message, now)
      }
      context.append(
        stored(messages, context.next, () => now),
        model
      )
    })
  }
}
