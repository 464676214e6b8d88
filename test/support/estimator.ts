import { Effect, Layer } from "effect"
import type { ContentBlock, Message } from "../../src/domain/Message.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"

const chars = (block: ContentBlock): number => JSON.stringify(block)?.length ?? 0

const size = (message: Message): number =>
  Math.ceil(
    (typeof message.content === "string" ? message.content.length : message.content.reduce((n, b) => n + chars(b), 0)) /
      3
  ) + 4

/** A plain estimator for specs: three characters a token, the bound 10 % above. Remembers what it has scanned. */
export const plainEstimator = (): TokenEstimator["Service"] & { readonly scanned: () => number } => {
  const known = new WeakMap<object, number>()
  let scanned = 0
  const tokensOf = (message: Message): number => {
    const found = known.get(message)
    if (found !== undefined) return found
    scanned++
    const tokens = size(message)
    known.set(message, tokens)
    return tokens
  }
  const estimate = (tokens: number) => ({ tokens, upperBound: Math.ceil(tokens * 1.1) })
  return {
    scanned: () => scanned,
    message: (message) => estimate(tokensOf(message)),
    text: (text) => estimate(Math.ceil(text.length / 3)),
    estimate: (request) =>
      estimate(
        Math.ceil((JSON.stringify([request.system ?? [], request.tools ?? []]).length - 4) / 3) +
          request.messages.reduce((sum, message) => sum + tokensOf(message), 0)
      ),
    observe: () => Effect.void
  }
}

export const layerPlainEstimator: Layer.Layer<TokenEstimator> = Layer.sync(TokenEstimator, plainEstimator)
