import { Effect, Layer } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import type { Usage } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"

export const old = "claude-sonnet-4-6"
export const now = "claude-sonnet-5-5"
export const models = [old, now] as const

export const layerEstimator = TokenEstimator.layerMemory.pipe(Layer.provide(ModelCatalog.layerDefault))

/** Runs a spec with an estimator of its own: nothing that another spec taught it. */
export const withEstimator = <A, E>(use: (estimator: TokenEstimator["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(TokenEstimator, use), layerEstimator)

export const user = (content: Message["content"]): Message => ({ role: "user", content })
export const assistant = (content: Message["content"]): Message => ({ role: "assistant", content })

export const request = (messages: ReadonlyArray<Message>, more: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model: now,
  max_tokens: 100,
  messages,
  ...more
})

export const usage = (input: number, output = 0): Usage => ({
  input,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  cacheRead: 0,
  output
})

export const prose =
  "The estimator reads every message once, counts what a tokenizer would cut at, and adds up what that costs. " +
  "Numbers like 12345, paths like src/tokens/scan.ts and names like countLetters are part of the work.\n"
