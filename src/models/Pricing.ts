import { type NanoUsd, nanoUsd } from "../domain/Money.ts"
import { promptTokens, type Usage } from "../domain/Usage.ts"
import type { Model, PriceOptions, Prices } from "./Model.ts"

type Rational = Model["usGeo"]

const one: Rational = { numerator: 1, denominator: 1 }

const ratesOf = (model: Model, usage: Usage, speed: string | null | undefined): Prices => {
  if (speed === "fast" && model.fast !== undefined) return model.fast
  const { longContext } = model
  return longContext !== undefined && promptTokens(usage) > longContext.above ? longContext.prices : model.prices
}

const total = (usage: Usage, rates: Prices): number =>
  usage.input * rates.input +
  usage.cacheWrite5m * rates.cacheWrite5m +
  usage.cacheWrite1h * rates.cacheWrite1h +
  usage.cacheRead * rates.cacheRead +
  usage.output * rates.output

/** `n × factor`, rounded half up. Numbers are exact while the product is a safe integer; beyond that BigInt is. */
const scale = (n: number, factor: Rational): number => {
  const product = n * factor.numerator
  if (Number.isSafeInteger(product)) {
    const rest = product % factor.denominator
    return (product - rest) / factor.denominator + (2 * rest >= factor.denominator ? 1 : 0)
  }
  const denominator = BigInt(factor.denominator)
  return Number((2n * BigInt(n) * BigInt(factor.numerator) + denominator) / (2n * denominator))
}

/**
 * Exact price of one request in nano-dollars. The long-context tier looks at the whole prompt (cache reads and writes
 * included) and then prices the whole request, output too. Throws (a defect) above 9,007,199 USD, where a number is no
 * longer exact.
 */
export const price = (model: Model, usage: Usage, options?: PriceOptions): NanoUsd =>
  nanoUsd(
    scale(nanoUsd(total(usage, ratesOf(model, usage, options?.speed))), options?.geo === "us" ? model.usGeo : one)
  )
