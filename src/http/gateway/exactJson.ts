/** What ES2025 adds to JSON: numbers with their own text. */
type ExactJson = typeof JSON & {
  readonly rawJSON: (text: string) => unknown
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown
  ) => unknown
}

const json = JSON as ExactJson

/** Digits that a double may not hold. Written out: like this V8 skips through a text, and the look costs a twentieth of parsing. */
const long = /\d\d\d\d\d\d\d\d\d\d\d\d\d\d\d\d/

const whole = /^-?\d+$/

const exact = (_: string, value: unknown, { source }: { readonly source?: string }): unknown =>
  typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && whole.test(source)
    ? json.rawJSON(source)
    : value

/**
 * JSON as a value that is written again with the same whole numbers, also those beyond 2^53 (ids of some services): these are
 * objects that only `JSON.stringify` reads.
 */
export const parseExactly = (text: string): unknown => (long.test(text) ? json.parse(text, exact) : JSON.parse(text))
