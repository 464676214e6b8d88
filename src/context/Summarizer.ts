import { Context, Effect, Layer } from "effect"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { extract, merge, title } from "./Extractive.ts"
import { HistoryCompactor } from "./HistoryCompactor.ts"
import type { Summarizes, Summary } from "./Summary.ts"
import { SummaryWriter } from "./SummaryWriter.ts"
import { makeUpstream } from "./UpstreamSummarizer.ts"
import { makeWritten } from "./WrittenSummarizer.ts"

export type { MergeRequest, Summary, SummaryRequest } from "./Summary.ts"

const withoutModel: Pick<Summarizes, "ahead" | "costNanoUsd"> = { ahead: () => Effect.void, costNanoUsd: () => 0 }

/** Condenses messages to one text. Never fails: whatever goes wrong inside, an extractive summary comes back. */
export class Summarizer extends Context.Service<Summarizer, Summarizes>()("sluice/context/Summarizer") {
  /** Without any model: the messages' own words, chosen by what is asked for later. Nothing is invented. */
  static readonly layerExtractive: Layer.Layer<Summarizer, never, TokenEstimator | Settings> = Layer.effect(
    Summarizer,
    Effect.gen(function* () {
      const estimator = yield* TokenEstimator
      const settings = yield* Settings
      const agentTools = new Set(settings.agentTools)
      const counter = (model: string) => (text: string) => estimator.text(text, model).tokens
      const summary = (text: string, model: string): Summary => ({ text, tokens: counter(model)(text) })
      return Summarizer.of({
        summarize: ({ detail, maxTokens, messages, model }) =>
          Effect.sync(() =>
            summary(extract(messages, { detail, agentTools, maxTokens, count: counter(model) }), model)
          ),
        merge: ({ maxTokens, model, texts }) =>
          Effect.sync(() => summary(merge(texts, maxTokens, counter(model)), model)),
        ...withoutModel
      })
    })
  )

  /**
   * Written by a model in the background, checked against the messages; extractive until it is ready, and whenever the
   * model fails. No request waits for it.
   */
  static readonly layerModel: Layer.Layer<Summarizer, never, SummaryWriter | TokenEstimator | ModelCatalog | Settings> =
    Layer.effect(
      Summarizer,
      Effect.gen(function* () {
        const estimator = yield* TokenEstimator
        const catalog = yield* ModelCatalog
        const settings = yield* Settings
        const written = yield* makeWritten({
          extractive: yield* Summarizer,
          writer: yield* SummaryWriter,
          agentTools: new Set(settings.agentTools),
          words: settings.summaryLengthWords,
          count: (text, model) => estimator.text(text, model).tokens,
          prices: catalog.get(settings.summaryModel).prices
        })
        return Summarizer.of(written)
      })
    ).pipe(Layer.provide(Summarizer.layerExtractive))

  /**
   * Upstream condenses the history itself (on-demand compaction, a beta), in the background; kept turns keep their
   * thinking. What it cannot condense is extractive.
   */
  static readonly layerUpstream: Layer.Layer<Summarizer, never, HistoryCompactor | TokenEstimator | Settings> =
    Layer.effect(
      Summarizer,
      Effect.gen(function* () {
        const estimator = yield* TokenEstimator
        const service = yield* makeUpstream({
          extractive: yield* Summarizer,
          compactor: yield* HistoryCompactor,
          count: (text, model) => estimator.text(text, model).tokens
        })
        return Summarizer.of(service)
      })
    ).pipe(Layer.provide(Summarizer.layerExtractive))

  /** The default. */
  static readonly layer = Summarizer.layerExtractive

  /** SUMMARIZATION_ENABLED=false: old messages are only named, not condensed. They stay in the database. */
  static readonly layerOff: Layer.Layer<Summarizer, never, TokenEstimator> = Layer.effect(
    Summarizer,
    Effect.gen(function* () {
      const estimator = yield* TokenEstimator
      const summary = (text: string, model: string): Summary => ({ text, tokens: estimator.text(text, model).tokens })
      return Summarizer.of({
        summarize: ({ messages, model }) => Effect.sync(() => summary(`${title(messages)} (not summarised)`, model)),
        merge: ({ model, texts }) =>
          Effect.sync(() =>
            summary(
              merge(texts, 0, () => 0),
              model
            )
          ),
        ...withoutModel
      })
    })
  )
}
