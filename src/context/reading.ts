import { Effect } from "effect"
import type { ChatRepo } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { ContextStats } from "./ContextService.ts"
import { ContextTooLarge, type PreparedContext } from "./PreparedContext.ts"
import { trimToLimit } from "./trimToLimit.ts"

const pageSize = 1_000

/** Reads a conversation from a message on, page by page. */
export const readFrom = Effect.fnUntraced(function* (
  repo: ChatRepo["Service"],
  id: string,
  first: number,
  take: (page: ReadonlyArray<StoredMessage>) => void
) {
  let after = first - 1
  while (true) {
    const page = yield* repo.messages(id, { after, limit: pageSize })
    take(page)
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    after = last.seq
  }
})

export const trimmer =
  (estimator: TokenEstimator["Service"]) =>
  (request: MessagesRequest, maxTokens: number): Effect.Effect<MessagesRequest, ContextTooLarge> =>
    Effect.suspend(() => {
      const trimmed = trimToLimit(request, maxTokens, estimator)
      if (trimmed !== undefined) return Effect.succeed(trimmed)
      const tokens = estimator.estimate(request).upperBound
      const seq = request.messages.length - 1
      return Effect.fail(new ContextTooLarge({ conversation: "request", seq, tokens, limit: maxTokens }))
    })

export const statsOf = (
  conversation: string,
  prepared: PreparedContext,
  limit: number,
  compactions: number
): ContextStats => ({
  conversation,
  rawMessages: prepared.rawMessages,
  rawTokens: prepared.rawTokens,
  tokens: prepared.estimatedTokens,
  upperBound: prepared.upperBound,
  percentOfLimit: (100 * prepared.upperBound) / limit,
  reduction: prepared.rawTokens === 0 ? 0 : Math.max(0, 1 - prepared.estimatedTokens / prepared.rawTokens),
  segments: prepared.entries.filter((entry) => entry.segment).length,
  compactions
})
