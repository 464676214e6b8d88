import { Effect, Ref, Stream } from "effect"
import { blocksOf, type Message } from "../domain/Message.ts"
import type { ApiUsage, AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { messageEvents } from "../testing/simulator/MessageEvents.ts"
import { ClaudeError, Rejected } from "./ClaudeError.ts"
import type { CallOptions, ClaudeService } from "./ClaudeService.ts"

/** A message of a transcript: an assistant one may carry what the API reported with it. */
export interface RecordedMessage extends Message {
  readonly id?: string
  readonly model?: string
  readonly stopReason?: string | null
  readonly stop_reason?: string | null
  readonly usage?: ApiUsage
}

const exhausted = (count: number): ClaudeError =>
  new ClaudeError({
    reason: new Rejected({
      status: 410,
      body: {
        type: "error",
        error: {
          type: "recording_exhausted",
          message: `all ${count} recorded answers are used up; record more or ask less`
        }
      },
      headers: {},
      requestId: null
    })
  })

const answerOf = (recorded: RecordedMessage, index: number, request: MessagesRequest): AssistantMessage => {
  const content = blocksOf(recorded.content)
  const calls = content.some((block) => block.type === "tool_use")
  return {
    id: recorded.id ?? `msg_recorded_${index}`,
    type: "message",
    role: "assistant",
    model: recorded.model ?? request.model,
    content,
    stop_reason: recorded.stop_reason ?? recorded.stopReason ?? (calls ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: recorded.usage ?? {}
  }
}

/**
 * Answers every call with the next assistant message of a transcript, whatever is asked; same-role neighbours are
 * answers of their own. Fails with `Rejected` (410) once they are used up. `countTokens` says what the next answer's
 * prompt took.
 */
export const makeRecorded = (messages: ReadonlyArray<RecordedMessage>): Effect.Effect<ClaudeService> =>
  Effect.map(Ref.make(0), (position) => {
    const answers = messages.filter((message) => message.role === "assistant")

    const next = Effect.fnUntraced(function* (
      request: MessagesRequest,
      options: CallOptions | undefined
    ): Effect.fn.Return<AssistantMessage, ClaudeError> {
      const index = yield* Ref.getAndUpdate(position, (n) => n + 1)
      const recorded = answers[index]
      if (recorded === undefined) return yield* exhausted(answers.length)
      yield* options?.onAttempt?.({ _tag: "Answered", attempt: 1, status: 200, headers: {} }) ?? Effect.void
      return answerOf(recorded, index, request)
    })

    return {
      kind: "recorded",
      send: (request, options) =>
        Effect.map(next(request, options), (message) => ({ message, status: 200, headers: {} })),
      stream: (request, options) =>
        Effect.map(next(request, options), (message) => ({
          status: 200,
          headers: {},
          events: Stream.fromArray(messageEvents(message))
        })),
      countTokens: () =>
        Effect.map(Ref.get(position), (index) => {
          const usage = answers[index]?.usage ?? {}
          return (
            (usage.input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0)
          )
        })
    }
  })
