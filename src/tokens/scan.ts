import { automaton, Class, type Feature, features } from "./automaton.ts"

const { costOf, next } = automaton
const SYMBOL = costOf.length
const FOREIGN = SYMBOL + 1

/** How often each state of the automaton was entered, and the costs of what is not ASCII, in tenths. */
export type Visits = Uint32Array

export const noVisits = (): Visits => new Uint32Array(FOREIGN + 1)

const classOf = (code: number): number => {
  if (code >= 97 && code <= 122) return Class.lower
  if (code >= 65 && code <= 90) return Class.upper
  if (code >= 48 && code <= 57) return Class.digit
  if (code === 32) return Class.space
  if (code === 10 || code === 13) return Class.newline
  if (code === 9) return Class.tab
  return code === 95 ? Class.joint : Class.mark
}

const classes = Uint8Array.from({ length: 128 }, (_, code) => classOf(code))

/** From two open tokenizers on manual pages in twelve languages. Half a surrogate pair (an emoji) is half of it. */
const foreignTenths = (code: number): number => {
  if (code < 0x250) return 4
  if (code < 0x600) return 5
  if (code < 0x1100) return 8
  return code >= 0xd800 && code < 0xe000 ? 12 : 10
}

/** Counts a character outside ASCII and answers its class: a letter with an accent continues its word. */
const beyondAscii = (code: number, into: Visits): number => {
  if (code >= 0x2000 && code < 0x2c00) into[SYMBOL] = (into[SYMBOL] ?? 0) + (code >= 0x2500 && code < 0x25a0 ? 5 : 10)
  else into[FOREIGN] = (into[FOREIGN] ?? 0) + foreignTenths(code)
  return code >= 0xc0 && code < 0x250 ? Class.lower : Class.other
}

/** One pass over a text, added to `into`: no vocabulary, and for ASCII no branch that depends on the text. */
export const scan = (text: string, into: Visits): void => {
  let row = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Every index is inside its table; the fallbacks only say so to the compiler.
    const column = code < 128 ? (classes[code] ?? 0) : beyondAscii(code, into)
    row = next[row | column] ?? 0
    into[row >> 4] = (into[row >> 4] ?? 0) + 1
  }
}

/** Visits summed by feature, in the order of `features`; symbols and foreign characters in tenths. */
export const countsOf = (visits: Visits): Float64Array => {
  const counts = new Float64Array(features.length)
  const add = (index: number, n: number): void => {
    if (index >= 0) counts[index] = (counts[index] ?? 0) + n
  }
  for (let state = 0; state < costOf.length; state++) add(costOf[state] ?? -1, visits[state] ?? 0)
  add(features.indexOf("symbol"), visits[SYMBOL] ?? 0)
  add(features.indexOf("foreign"), visits[FOREIGN] ?? 0)
  return counts
}

/** Weight of every state for a set of weights by feature: tokens are its scalar product with visits. */
export const stateWeights = (weights: Readonly<Record<Feature, number>>): Float64Array =>
  Float64Array.from([
    ...costOf.map((index) => weights[features[index] ?? "word"] * (index < 0 ? 0 : 1)),
    weights.symbol,
    weights.foreign
  ])
