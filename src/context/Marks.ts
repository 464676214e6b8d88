/**
 * What stands in a line, found in one look at its characters: bits without which a pattern cannot match, so that most
 * patterns are never tried.
 */
export const digit = 1 << 8
export const slash = 1 << 9
export const colon = 1 << 10
export const hashSign = 1 << 11
export const backtick = 1 << 12
export const star = 1 << 13
export const quote = 1 << 14
export const at = 1 << 15
/** Seven hexadecimal digits in a row. */
export const longHex = 1 << 16
/** The letters `id`, in any case. */
export const idLetters = 1 << 17

/** In the low bits of a character's kind: its letter's number, 1 to 26. */
const letters = 31
const wordCharacter = 1 << 5
const hexDigit = 1 << 6

const kinds = new Uint16Array(0x2020)
const mark = (chars: string, bits: number): void => {
  for (const char of chars) {
    const code = char.charCodeAt(0)
    kinds[code] = (kinds[code] ?? 0) | bits
  }
}

const alphabet = "abcdefghijklmnopqrstuvwxyz"
for (let n = 0; n < 26; n++) mark(`${alphabet[n]}${alphabet[n]?.toUpperCase()}`, (n + 1) | wordCharacter)
mark("0123456789", digit | wordCharacter | hexDigit)
mark("abcdef", hexDigit)
mark("_", wordCharacter)
mark("/", slash)
mark(":=", colon)
mark("#", hashSign)
mark("`", backtick)
mark("*", star)
mark('"“', quote)
mark("@", at)

const pair = (first: number, second: number): number => (first << 5) | second
const id = pair(9, 4)

/** The bits of the word patterns begin here. */
const firstWords = 20

/** What a word that begins with these two letters may be: a bit for each kind. */
const openings = new Uint8Array(32 * 32)

/** Alternatives are divided by bars that stand in no brackets. */
const alternativesIn = (source: string): ReadonlyArray<string> => source.split(/\|(?![^(]*\))/)

/**
 * A pattern of whole words in any case, and the bit that `marksIn` sets where it may match. Every alternative begins
 * with two plain letters, or with one and whatever the brackets after it allow.
 */
export const wordsOf = (
  kind: 0 | 1 | 2,
  sources: ReadonlyArray<string>
): { readonly pattern: RegExp; readonly bit: number } => {
  const source = sources.join("|")
  for (const alternative of alternativesIn(source)) {
    const first = alternative.charCodeAt(0) & letters
    const second = (kinds[alternative.charCodeAt(1)] ?? 0) & letters
    const seconds = second === 0 ? Array.from({ length: 26 }, (_, n) => n + 1) : [second]
    for (const letter of seconds) openings[pair(first, letter)] = (openings[pair(first, letter)] ?? 0) | (1 << kind)
  }
  return { pattern: new RegExp(`\\b(?:${source})\\b`, "i"), bit: 1 << (kind + firstWords) }
}

/** The bits of everything in the line. */
export const marksIn = (line: string): number => {
  let found = 0
  let words = 0
  let hexDigits = 0
  let before = 0
  let opens = false
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i)
    const kind = code < kinds.length ? (kinds[code] ?? 0) : 0
    found |= kind
    hexDigits = (kind & hexDigit) === 0 ? 0 : hexDigits + 1
    if (hexDigits === 7) found |= longHex
    const two = pair(before & letters, kind & letters)
    if (two === id) found |= idLetters
    if (opens) words |= openings[two] ?? 0
    opens = (kind & wordCharacter) !== 0 && (before & wordCharacter) === 0
    before = kind
  }
  return found | (words << firstWords)
}
