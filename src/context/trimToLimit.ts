import { startsTurn } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"

/**
 * The request with as many of its newest turns as stay within `maxTokens` (upper bound), cut only where a turn starts;
 * undefined when not even the last turn fits.
 */
export const trimToLimit = (
  request: MessagesRequest,
  maxTokens: number,
  estimator: TokenEstimator["Service"]
): MessagesRequest | undefined => {
  const fits = (start: number): boolean =>
    estimator.estimate({ ...request, messages: request.messages.slice(start) }).upperBound <= maxTokens
  if (fits(0)) return request
  const starts = request.messages.flatMap((message, index) => (index > 0 && startsTurn(message) ? [index] : []))
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (fits(starts[middle] ?? 0)) high = middle
    else low = middle + 1
  }
  const start = starts[low]
  return start === undefined ? undefined : { ...request, messages: request.messages.slice(start) }
}
