/** The last hour in steps of ten seconds, oldest first. What was not measured is null. */
export interface Series {
  /** Seconds since the epoch, as uPlot wants them. */
  readonly at: ReadonlyArray<number>
  readonly columns: Readonly<Record<SeriesKey, ReadonlyArray<number | null>>>
}

const aliases = {
  tokens: ["tokens", "used", "inputTokens", "tokensUsed"],
  requests: ["requests"],
  hitRate: ["hitRate", "cacheHitRate"],
  cost: ["costUsd", "usd", "cost"],
  saved: ["savedUsd", "saved"],
  queue: ["queue", "queued", "queueLength"],
  context: ["contextPercent", "contextUse", "context"]
} as const

export type SeriesKey = keyof typeof aliases
// `aliases` is a const: these are exactly its keys.
const keys = Object.keys(aliases) as ReadonlyArray<SeriesKey>

type Point = Readonly<Record<string, unknown>>

const isPoint = (value: unknown): value is Point => typeof value === "object" && value !== null

const figure = (value: unknown): number | null => {
  if (typeof value === "number") return value
  return isPoint(value) && typeof value.usd === "number" ? value.usd : null
}

const find = (point: Point, key: SeriesKey): number | null => {
  for (const name of aliases[key]) {
    const value = figure(point[name])
    if (value !== null) return value
  }
  return null
}

const pointsOf = (answer: unknown): ReadonlyArray<Point> => {
  if (Array.isArray(answer)) return answer.filter(isPoint)
  if (!isPoint(answer)) return []
  const inner = answer.points ?? answer.series ?? answer.samples
  return Array.isArray(inner) ? inner.filter(isPoint) : []
}

const empty = (): Record<SeriesKey, Array<number | null>> => ({
  tokens: [],
  requests: [],
  hitRate: [],
  cost: [],
  saved: [],
  queue: [],
  context: []
})

export const noSeries: Series = { at: [], columns: empty() }

/** Reads /api/metrics/series. */
export const toSeries = (answer: unknown): Series => {
  const at: Array<number> = []
  const columns = empty()
  for (const point of pointsOf(answer)) {
    const moment = figure(point.at ?? point.time ?? point.start)
    if (moment === null) continue
    at.push(moment / 1000)
    for (const key of keys) columns[key].push(find(point, key))
  }
  return { at, columns }
}

const mostPoints = 360

/** One more measurement of our own, where the server has no history to offer. */
export const appended = (series: Series, at: number, values: Partial<Record<SeriesKey, number>>): Series => {
  const columns = empty()
  for (const key of keys) columns[key] = [...series.columns[key], values[key] ?? null].slice(-mostPoints)
  return { at: [...series.at, at].slice(-mostPoints), columns }
}
