import type { TokenizerGeneration } from "../models/ModelCatalog.ts"
import type { Feature } from "./automaton.ts"

/** What a prompt holds besides the characters of its texts. */
export const items = [
  "assistantText",
  "userText",
  "toolRound", // a message that calls tools
  "toolUse", // each call in it
  "parameter", // a field of a tool's input, its name included
  "toolResult",
  "furtherToolResult", // each one after the first of a message, on top
  "errorResult", // on top
  "emptyResult", // on top
  "hiddenThinking", // a thinking block that shows neither text nor signature
  "signature", // characters of a signature that stands for the thinking, or of redacted thinking
  "imageOld",
  "imageNew", // tokens of an image, as each generation limits it
  "documentData", // characters of base64
  "remoteDocument",
  "tool" // a tool's definition, besides its text
] as const

export type Item = (typeof items)[number]

/** Tokens each. `thinking` multiplies the text of a thinking block: upstream shows a summary of what it counts. */
export interface Weights {
  readonly text: Readonly<Record<Feature, number>>
  readonly items: Readonly<Record<Item, number>>
  readonly thinking: number
}

const shared = {
  assistantText: 1,
  userText: 3,
  emptyResult: 14,
  documentData: 1 / 40,
  remoteDocument: 3_000,
  tool: 8
}

/**
 * Fitted on 2,335 prompt growths that upstream reported (24 agent conversations of three repositories), robustly, so that
 * what clients add unseen does not bend them, and held by a ridge to the shape that two open tokenizers show on public
 * source code (`node test/bench/estimator-fit.ts`). Not fitted, for want of data: `symbol` and `foreign` (the open
 * tokenizers), `signature` (base64 of an encrypted text), documents, `tool`.
 */
export const weights: Readonly<Record<TokenizerGeneration, Weights>> = {
  old: {
    text: {
      word: 0.98,
      longWord: 0.11,
      veryLongWord: 0.1,
      part: 1.32,
      longPart: 0.17,
      capital: 0.04,
      capitals: 0.33,
      endless: 0.5,
      digits: 1.28,
      punctuation: 0.97,
      mark: 0.15,
      marks: 0.51,
      rule: 0.03,
      newline: 1.26,
      indent: 0.9,
      gap: 0.98,
      longGap: 0.11,
      tab: 0.61,
      symbol: 0.06,
      foreign: 0.11
    },
    items: {
      ...shared,
      toolRound: 14.6,
      toolUse: 18.3,
      parameter: 16.6,
      toolResult: 11.2,
      furtherToolResult: 31.1,
      errorResult: 9.8,
      hiddenThinking: 300,
      signature: 0.2,
      imageOld: 1,
      imageNew: 0
    },
    thinking: 1.8
  },
  new: {
    text: {
      word: 1.37,
      longWord: 0.12,
      veryLongWord: 0.7,
      part: 1.65,
      longPart: 0.51,
      capital: 1.52,
      capitals: 0.62,
      endless: 0.6,
      digits: 1.15,
      punctuation: 1.17,
      mark: 0.53,
      marks: 0.91,
      rule: 0.03,
      newline: 1.05,
      indent: 0.66,
      gap: 0.84,
      longGap: 0.05,
      tab: 0.82,
      symbol: 0.06,
      foreign: 0.11
    },
    items: {
      ...shared,
      toolRound: 10.3,
      toolUse: 18.6,
      parameter: 19.9,
      toolResult: 4.3,
      furtherToolResult: 41.2,
      errorResult: 7.6,
      hiddenThinking: 700,
      signature: 0.25,
      imageOld: 0,
      imageNew: 1
    },
    thinking: 2.3
  }
}
