const original: unique symbol = Symbol("sluice/original")

interface Carrying {
  readonly [original]?: Uint8Array
}

/**
 * Remembers the bytes that a value was parsed from, so that whoever passes it on can pass on those: an event's frame with
 * its blank line, an answer's body. JSON and structural comparisons of strings see nothing of it; a copy loses it.
 */
export const withOriginal = <T extends object>(value: T, bytes: Uint8Array): T => {
  // The value was just made by a parser, so nobody else holds it yet; a symbol collides with no field of the API.
  ;(value as { [original]?: Uint8Array })[original] = bytes
  return value
}

/** The bytes it was parsed from; undefined for a value that was made or changed here. */
export const originalOf = (value: unknown): Uint8Array | undefined =>
  typeof value === "object" && value !== null ? (value as Carrying)[original] : undefined
