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
  /** True for a model whose price is unknown: it is priced as the dearest of its family. */
  readonly estimated: boolean
}

/** What else decides the price of a request; both come from the answer's `usage`. */
export interface PriceOptions {
  /** `usage.inference_geo`: "us" costs more on the models that accept it. */
  readonly geo?: string | null | undefined
  /** `usage.speed`: "fast" has its own prices on the models that offer it. */
  readonly speed?: string | null | undefined
}
