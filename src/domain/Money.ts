import { Schema } from "effect"

/**
 * Integer nano-dollars (1 USD = 1,000,000,000). A safe integer: exact up to 9,007,199 USD in one number; a larger sum
 * is refused by the schema instead of rounded.
 */
export const NanoUsd = Schema.Int.pipe(Schema.brand("NanoUsd")).annotate({ identifier: "NanoUsd" })
export type NanoUsd = typeof NanoUsd.Type

/** Brands an integer; throws on anything else, because money that is not an integer is a bug here. */
export const nanoUsd = (n: number): NanoUsd => {
  if (!Number.isSafeInteger(n)) throw new RangeError(`${n} is not a whole number of nano-dollars`)
  // Checked on the line above.
  return n as NanoUsd
}

export const zero = nanoUsd(0)
export const fromUsd = (usd: number): NanoUsd => nanoUsd(Math.round(usd * 1e9))
export const toUsd = (n: NanoUsd): number => n / 1e9
export const sum = (...ns: ReadonlyArray<NanoUsd>): NanoUsd => nanoUsd(ns.reduce((a, b) => a + b, 0))

/** "$12.345678" with as many decimals as needed (two at least, nine at most). */
export const format = (n: NanoUsd): string => {
  const sign = n < 0 ? "-" : ""
  const digits = Math.abs(n).toString().padStart(10, "0")
  const decimals = digits.slice(-9).replace(/0{1,7}$/, "")
  return `${sign}$${digits.slice(0, -9)}.${decimals}`
}
