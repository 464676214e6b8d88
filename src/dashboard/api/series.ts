import type { SeriesMetrics } from "./types.ts"

type Point = SeriesMetrics["points"][number]

export type SeriesKey =
  | "used"
  | "limit"
  | "tokens"
  | "requests"
  | "errors"
  | "hitRate"
  | "cost"
  | "saved"
  | "queue"
  | "context"

/** The last hour in steps of ten seconds, oldest first; null where nothing was measured. */
export interface Series {
  /** Seconds since the epoch, as uPlot wants them. */
  readonly at: ReadonlyArray<number>
  readonly columns: Readonly<Record<SeriesKey, ReadonlyArray<number | null>>>
}

const columnsOf = (points: ReadonlyArray<Point>): Series["columns"] => ({
  used: points.map((p) => p.used),
  limit: points.map((p) => p.limit),
  tokens: points.map((p) => p.tokens),
  requests: points.map((p) => p.requests),
  errors: points.map((p) => p.errors),
  hitRate: points.map((p) => p.hitRate),
  cost: points.map((p) => p.cost.usd),
  saved: points.map((p) => p.saved.usd),
  queue: points.map((p) => p.queued),
  context: points.map((p) => p.contextPercent)
})

/** Without the last point: its ten seconds are not over, and half a figure looks like a fall. */
const whole = (points: SeriesMetrics["points"]): SeriesMetrics["points"] =>
  points.length > 1 ? points.slice(0, -1) : points

export const toSeries = ({ points: all }: SeriesMetrics): Series => {
  const points = whole(all)
  return {
    at: points.map(({ at }) => at / 1000),
    columns: columnsOf(points)
  }
}

export const noSeries: Series = toSeries({ stepMillis: 10_000, points: [] })
