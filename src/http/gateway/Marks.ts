import type { AssistantMessage } from "../../domain/MessagesRequest.ts"
import { fromApi, promptTokens } from "../../domain/Usage.ts"
import type { GovernedStream, Settlement } from "../../governor/Governor.ts"

/** The `x-sluice-*` headers of an answer: what the gateway did, and what it cost. */
export type Marks = Record<string, string>

const tokensOf = ({ usage }: AssistantMessage): number => {
  const counted = fromApi(usage)
  return promptTokens(counted) + counted.output
}

/** Tokens that were not paid for: the whole answer's when it was there already, else what the context left out. */
const savedTokens = (message: AssistantMessage | undefined, cache: Settlement["cache"], leftOut: number): number =>
  message !== undefined && (cache === "hit" || cache === "coalesced") ? tokensOf(message) : leftOut

/** Upstream may take any name for a model; a header takes visible characters only. */
const inHeader = (model: string): string =>
  model
    .slice(0, 200)
    .toWellFormed()
    .replace(/[^\x20-\x7e]/gu, encodeURIComponent)

export const markSettled = (settlement: Settlement, message: AssistantMessage, leftOut: number): Marks => ({
  "x-sluice-request-id": settlement.requestId,
  "x-sluice-cache": settlement.cache,
  "x-sluice-model": inHeader(settlement.model),
  "x-sluice-queue-ms": String(settlement.queueMillis),
  "x-sluice-cost-nano-usd": String(settlement.costNanoUsd),
  "x-sluice-saved-tokens": String(savedTokens(message, settlement.cache, leftOut))
})

/** The name under which a conversation's messages are kept here. */
export const markConversation = (conversation: string | undefined): Marks =>
  conversation === undefined ? {} : { "x-sluice-conversation": conversation }

/** What is known when a stream opens; its cost is not, unless the answer was there already. */
export const markOpened = (stream: GovernedStream, leftOut: number): Marks => ({
  "x-sluice-request-id": stream.requestId,
  "x-sluice-cache": stream.cache,
  "x-sluice-model": inHeader(stream.model),
  "x-sluice-queue-ms": String(stream.queueMillis),
  ...(stream.cache === "hit" ? { "x-sluice-cost-nano-usd": "0" } : {}),
  "x-sluice-saved-tokens": String(savedTokens(stream.answer, stream.cache, leftOut))
})
