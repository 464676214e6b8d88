import type { Model, Prices } from "./Model.ts"
import { candidates, familyIn, withoutDate } from "./ModelId.ts"
import { defaults, isPriced, type ModelRow, modelOf, noFamily } from "./ModelTable.ts"

const noPrices: Prices = { input: 0, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 0 }

/** The highest price of each kind: no member of the family costs more. */
const dearest = (models: Iterable<Model>): Prices => {
  let highest = noPrices
  for (const { prices } of models) {
    highest = {
      input: Math.max(highest.input, prices.input),
      cacheWrite5m: Math.max(highest.cacheWrite5m, prices.cacheWrite5m),
      cacheWrite1h: Math.max(highest.cacheWrite1h, prices.cacheWrite1h),
      cacheRead: Math.max(highest.cacheRead, prices.cacheRead),
      output: Math.max(highest.output, prices.output)
    }
  }
  return highest
}

const twice = (prices: Prices): Prices => ({
  input: prices.input * 2,
  cacheWrite5m: prices.cacheWrite5m * 2,
  cacheWrite1h: prices.cacheWrite1h * 2,
  cacheRead: prices.cacheRead * 2,
  output: prices.output * 2
})

/** Names to models; where two claim a name, an id wins over an alias, and an alias over an id without its date. */
const indexOf = (models: ReadonlyArray<Model>): ReadonlyMap<string, Model> => {
  const index = new Map<string, Model>()
  const claim = (name: string, model: Model) => index.set(name.toLowerCase(), model)
  // Newest models come first in the table: walking backwards lets them win among equals.
  const oldestFirst = models.toReversed()
  for (const model of oldestFirst) claim(withoutDate(model.id), model)
  for (const model of oldestFirst) for (const alias of model.aliases) claim(alias, model)
  for (const model of oldestFirst) claim(model.id, model)
  return index
}

/** Finds models by every name they go by, and makes up a dear one for a name that nobody knows. */
export const makeLookup = (rows: ReadonlyArray<ModelRow>) => {
  const priced = rows.filter(isPriced).map((row) => modelOf(row, () => noPrices))
  const families = Map.groupBy(priced, (model) => model.family)
  const dearestOfAll = dearest(priced)
  const dearestOf = new Map([...families].map(([family, models]) => [family, dearest(models)]))
  const dearestIn = (family: string): Prices =>
    (family === noFamily ? undefined : dearestOf.get(family)) ?? dearestOfAll

  const all = rows.map((row) => modelOf(row, dearestIn))
  const index = indexOf(all)
  const longestId = Math.max(200, ...[...index.keys()].map((name) => name.length))

  const unknown = (id: string): Model => {
    const family = familyIn(id) ?? noFamily
    const prices = dearestIn(family)
    return {
      id,
      aliases: [],
      family,
      tokenizer: "new",
      contextWindow: defaults.contextWindow,
      maxOutput: defaults.maxOutput,
      minCacheableTokens: defaults.minCacheableTokens,
      prices,
      longContext: undefined,
      fast: twice(prices),
      usGeo: { numerator: 11, denominator: 10 },
      status: "unknown",
      estimated: true
    }
  }

  /** A longer id than any that exists is not searched for decorations: it comes from a client and may be of any size. */
  const find = (id: string): Model => {
    if (id.length > longestId) return unknown(id.slice(0, longestId))
    for (const name of candidates(id)) {
      const model = index.get(name)
      if (model !== undefined) return model
    }
    return unknown(id)
  }

  return { all, find, longestId }
}
