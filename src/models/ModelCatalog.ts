import { Context, type Effect } from "effect"
import type { NanoUsd } from "../domain/Money.ts"
import type { Usage } from "../domain/Usage.ts"

/** Nano-dollars per token, by the kind it is billed as (1 USD per million tokens = 1,000). */
export interface Prices {
  readonly input: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  readonly cacheRead: number
  readonly output: number
}

/** Which tokenizer the model counts with: `old` up to Opus 4.6, Sonnet 4.6, Haiku 4.5; `new` from Opus 4.7 on. */
export type TokenizerGeneration = "old" | "new"

export interface Model {
  readonly id: string
  readonly aliases: ReadonlyArray<string>
  /** fable, mythos, opus, sonnet, haiku */
  readonly family: string
  readonly tokenizer: TokenizerGeneration
  /** Tokens. */
  readonly contextWindow: number
  readonly maxOutput: number
  /** A shorter prefix is not cached by upstream, in tokens. */
  readonly minCacheableTokens: number
  readonly prices: Prices
  /** Prices of the whole request once its prompt is longer than `above` tokens (Haiku 5.5). */
  readonly longContext: { readonly above: number; readonly prices: Prices } | undefined
  readonly fast: Prices | undefined
  /** Multiplier for `inference_geo: "us"`, as a rational so that money stays an integer. */
  readonly usGeo: { readonly numerator: number; readonly denominator: number }
  readonly status: string
  /** True for an unknown model, priced as the dearest of its family. */
  readonly estimated: boolean
}

export interface PriceOptions {
  readonly geo?: string | null | undefined
  readonly speed?: string | null | undefined
}

/** Prices, windows and limits of every model, from models.json and the user's own file. */
export class ModelCatalog extends Context.Service<
  ModelCatalog,
  {
    readonly all: ReadonlyArray<Model>
    /** Finds a model by id, alias or decorated id (Bedrock, Vertex, `[1m]`); an unknown one comes back `estimated`. Pure, memoised. */
    readonly get: (id: string) => Model
    /** `get`, and a warning in the log the first time an unknown model is asked for. */
    readonly resolve: (id: string) => Effect.Effect<Model>
    /** Exact price of a usage, in nano-dollars (tier by prompt size, geo and speed applied; fractions rounded half up once, at the end). */
    readonly price: (model: Model, usage: Usage, options?: PriceOptions) => NanoUsd
  }
>()("sluice/models/ModelCatalog") {}
