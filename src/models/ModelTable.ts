import { Schema } from "effect"
import type { Model, Prices } from "./Model.ts"
import { familyIn } from "./ModelId.ts"
import models from "./models.json" with { type: "json" }

const isWhole = (n: number): boolean => Math.abs(n - Math.round(n)) < 1e-6

/** USD per million tokens is 1,000 nano-dollars per token: anything finer than 0.001 has no integer price. */
const UsdPerMTok = Schema.Finite.check(
  Schema.makeFilter((usd) => usd >= 0 && isWhole(usd * 1000), {
    expected: "USD per million tokens, zero or more, in steps of 0.001"
  })
)

const Factor = Schema.Finite.check(
  Schema.makeFilter((factor) => factor >= 1 && isWhole(factor * 1000), {
    expected: "a factor of 1 or more, in steps of 0.001"
  })
)

const Tokens = Schema.Int.check(Schema.isGreaterThan(0))

const rates = {
  inputPerMTok: Schema.optionalKey(Schema.NullOr(UsdPerMTok)),
  outputPerMTok: Schema.optionalKey(Schema.NullOr(UsdPerMTok)),
  cacheWrite5mPerMTok: Schema.optionalKey(Schema.NullOr(UsdPerMTok)),
  cacheWrite1hPerMTok: Schema.optionalKey(Schema.NullOr(UsdPerMTok)),
  cacheReadPerMTok: Schema.optionalKey(Schema.NullOr(UsdPerMTok))
}
const Rates = Schema.Struct(rates)
type Rates = typeof Rates.Type

/** Fields that people read and the catalogue does not. Named, so that a misspelt field of a user's file is refused. */
const remarks = {
  source: Schema.optionalKey(Schema.Unknown),
  sources: Schema.optionalKey(Schema.Unknown),
  notes: Schema.optionalKey(Schema.Unknown),
  released: Schema.optionalKey(Schema.Unknown),
  retirement: Schema.optionalKey(Schema.Unknown),
  checked: Schema.optionalKey(Schema.Unknown),
  batch: Schema.optionalKey(Schema.Unknown),
  batchMaxOutputWithBeta: Schema.optionalKey(Schema.Unknown),
  comparison: Schema.optionalKey(Schema.Unknown),
  promptTokensAre: Schema.optionalKey(Schema.Unknown),
  appliesTo: Schema.optionalKey(Schema.Unknown),
  historic: Schema.optionalKey(Schema.Unknown)
}

/** One model as models.json and a user's own file write it. Only `id` is required; null means unknown. */
export const ModelRow = Schema.Struct({
  ...remarks,
  ...rates,
  id: Schema.NonEmptyString,
  aliases: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  claudeCodeAlias: Schema.optionalKey(Schema.NonEmptyString),
  family: Schema.optionalKey(Schema.NonEmptyString),
  contextWindow: Schema.optionalKey(Schema.NullOr(Tokens)),
  maxOutput: Schema.optionalKey(Schema.NullOr(Tokens)),
  minCacheableTokens: Schema.optionalKey(Schema.NullOr(Tokens)),
  minCacheableTokensAssumed: Schema.optionalKey(Schema.NullOr(Tokens)),
  tokenizer: Schema.optionalKey(Schema.Literals(["old", "new"])),
  usGeoMultiplier: Schema.optionalKey(Schema.NullOr(Factor)),
  longContext: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ ...remarks, ...rates, thresholdTokens: Schema.optionalKey(Tokens) }))
  ),
  fastMode: Schema.optionalKey(Schema.NullOr(Schema.Struct({ ...remarks, ...rates }))),
  status: Schema.optionalKey(Schema.NonEmptyString)
})
export type ModelRow = typeof ModelRow.Type

/** The file's schema. */
export const ModelRows = Schema.Array(ModelRow)

/** The models that Sluice ships. */
export const builtInRows: ReadonlyArray<ModelRow> = Schema.decodeUnknownSync(ModelRows)(models, {
  onExcessProperty: "error"
})

/** What is assumed where neither the file nor the family says anything. Tokens. */
export const defaults = {
  contextWindow: 200_000,
  maxOutput: 64_000,
  minCacheableTokens: 1_024,
  longContextAbove: 200_000
}

/** The family of a model whose id and row name none. Its members have nothing in common. */
export const noFamily = "other"

const nano = (usdPerMTok: number): number => Math.round(usdPerMTok * 1000)

/** Undefined while input or output is unknown. The cache kinds follow input by the usual factors (1.25, 2, 0.1), rounded up. */
const pricesOf = (row: Rates): Prices | undefined => {
  if (typeof row.inputPerMTok !== "number" || typeof row.outputPerMTok !== "number") return undefined
  const input = nano(row.inputPerMTok)
  return {
    input,
    cacheWrite5m: nano(row.cacheWrite5mPerMTok ?? Math.ceil(input * 1.25) / 1000),
    cacheWrite1h: nano(row.cacheWrite1hPerMTok ?? (input * 2) / 1000),
    cacheRead: nano(row.cacheReadPerMTok ?? Math.ceil(input / 10) / 1000),
    output: nano(row.outputPerMTok)
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

const rational = (factor: number): Model["usGeo"] => {
  const numerator = Math.round(factor * 1000)
  const divisor = gcd(numerator, 1000)
  return { numerator: numerator / divisor, denominator: 1000 / divisor }
}

const longContextOf = (row: ModelRow): Model["longContext"] => {
  const prices = row.longContext ? pricesOf(row.longContext) : undefined
  return prices && { above: row.longContext?.thresholdTokens ?? defaults.longContextAbove, prices }
}

/** A row as a model; `fallback` prices it when its own prices are unknown. */
export const modelOf = (row: ModelRow, fallback: (family: string) => Prices): Model => {
  const family = row.family ?? familyIn(row.id) ?? noFamily
  const prices = pricesOf(row)
  return {
    id: row.id,
    aliases: [...(row.aliases ?? []), ...(row.claudeCodeAlias === undefined ? [] : [row.claudeCodeAlias])],
    family,
    tokenizer: row.tokenizer ?? "new",
    contextWindow: row.contextWindow ?? defaults.contextWindow,
    maxOutput: row.maxOutput ?? defaults.maxOutput,
    minCacheableTokens: row.minCacheableTokens ?? row.minCacheableTokensAssumed ?? defaults.minCacheableTokens,
    prices: prices ?? fallback(family),
    longContext: longContextOf(row),
    fast: row.fastMode ? pricesOf(row.fastMode) : undefined,
    usGeo: rational(row.usGeoMultiplier ?? 1),
    status: row.status ?? "active",
    estimated: prices === undefined
  }
}

/** True when the row says itself what it costs. */
export const isPriced = (row: ModelRow): boolean => pricesOf(row) !== undefined

/**
 * `overrides` on top of `rows`: fields of a known model (by id or alias) are replaced one by one, others are added.
 * Overrides come first, so that their aliases win.
 */
export const merge = (rows: ReadonlyArray<ModelRow>, overrides: ReadonlyArray<ModelRow>): ReadonlyArray<ModelRow> => {
  const merged = [...rows]
  for (const row of overrides) {
    const known = merged.findIndex(({ id, aliases }) => id === row.id || aliases?.includes(row.id))
    const [base] = known < 0 ? [] : merged.splice(known, 1)
    const aliases = [...(base?.aliases ?? []), ...(row.aliases ?? [])]
    merged.unshift({ ...base, ...row, id: base?.id ?? row.id, aliases })
  }
  return merged
}
