import type { TokenizerGeneration } from "../models/ModelCatalog.ts"
import type { Feature } from "./automaton.ts"

/** What a prompt holds besides the characters of its texts. */
export const items = [
  "assistantText",
  "userText",
  "toolUse",
  "furtherToolUse", // each one after the first of a message, on top
  "parameter", // a field of a tool's input, its name included
  "toolResult",
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
  toolResult: 4,
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
      word: 0.99,
      longWord: 0.1,
      veryLongWord: 0.2,
      part: 1.3,
      longPart: 0.19,
      capital: 0.02,
      capitals: 0.34,
      digits: 1.26,
      punctuation: 0.98,
      mark: 0.17,
      marks: 0.06,
      newline: 1.19,
      indent: 0.9,
      gap: 1.05,
      longGap: 0.11,
      tab: 0.61,
      symbol: 0.06,
      foreign: 0.11
    },
    items: {
      ...shared,
      toolUse: 40,
      furtherToolUse: 16.7,
      parameter: 16.6,
      errorResult: 9.5,
      hiddenThinking: 300,
      signature: 0.2,
      imageOld: 1,
      imageNew: 0
    },
    thinking: 1.8
  },
  new: {
    text: {
      word: 1.42,
      longWord: 0.09,
      veryLongWord: 0.82,
      part: 1.72,
      longPart: 0.48,
      capital: 1.56,
      capitals: 0.56,
      digits: 1.15,
      punctuation: 1.17,
      mark: 0.58,
      marks: 0.47,
      newline: 0.97,
      indent: 0.58,
      gap: 0.76,
      longGap: 0,
      tab: 0.8,
      symbol: 0.06,
      foreign: 0.11
    },
    items: {
      ...shared,
      toolUse: 31,
      furtherToolUse: 41,
      parameter: 18.8,
      errorResult: 6.8,
      hiddenThinking: 700,
      signature: 0.25,
      imageOld: 0,
      imageNew: 1
    },
    thinking: 2.3
  }
}
