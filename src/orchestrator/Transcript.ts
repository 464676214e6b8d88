import { Effect } from "effect"
import type { ChatRepo } from "../chat/ChatRepo.ts"
import type { ContextManager } from "../context/ContextManager.ts"
import type { Message, ToolUseBlock } from "../domain/Message.ts"
import { blocksOf, isToolUse } from "../domain/Message.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { interrupted } from "./tools.ts"

export interface TranscriptDeps {
  readonly repo: ChatRepo["Service"]
  readonly context: ContextManager["Service"]
  readonly estimator: TokenEstimator["Service"]
}

/** The calls of a message, each id once. */
export const callsOf = (message: Pick<Message, "content">): ReadonlyArray<ToolUseBlock> => [
  ...new Map(
    blocksOf(message.content)
      .filter(isToolUse)
      .map((use) => [use.id, use])
  ).values()
]

/** Writes a conversation's messages: first to disk, then to the context. */
export const makeTranscript = ({ context, estimator, repo }: TranscriptDeps) => {
  const append = Effect.fnUntraced(function* (id: string, model: string, messages: ReadonlyArray<Message>) {
    const counted = messages.map((message) => ({
      role: message.role,
      content: message.content,
      tokens: estimator.message(message, model).tokens
    }))
    const stored = yield* repo.append(id, counted)
    yield* context.appended(id, stored)
    return stored
  })

  /** Results for calls that an earlier turn, or a process that died, left without. */
  const missingResults = Effect.fnUntraced(function* (id: string) {
    const last = (yield* repo.messages(id, { limit: 1 })).at(-1)
    if (last?.role !== "assistant") return []
    const content = callsOf(last).map((use) => interrupted(use.id))
    return content.length === 0 ? [] : [{ role: "user", content } satisfies Message]
  })

  /** The user's message, behind what is needed to make the history complete: all of it or nothing. */
  const begin = Effect.fnUntraced(function* (id: string, model: string, message: Message) {
    return yield* append(id, model, [...(yield* missingResults(id)), message])
  })

  return { append, begin }
}
