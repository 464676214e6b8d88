import type uPlot from "uplot"
import { short } from "../state/format.ts"

/** One line of a chart. `tone` is a colour of style/tokens.css. */
export interface Line {
  readonly label: string
  readonly tone: string
  readonly values: ReadonlyArray<number | null>
  readonly format: (value: number) => string
  readonly fill?: boolean
  readonly dashed?: boolean
  readonly bars?: boolean
}

const css = (element: Element, name: string): string => {
  // Custom properties come unresolved (`light-dark(…)`); a real property comes as a colour.
  const probe = document.createElement("span")
  probe.style.color = `var(--${name})`
  element.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}

const faint = (colour: string, alpha: number): string =>
  colour.replace(/^rgb\(([^)]+)\)$/, (_, parts: string) => `rgba(${parts}, ${alpha})`)

export interface ChartOptions {
  readonly lines: ReadonlyArray<Line>
  readonly width: number
  readonly height: number
  /** The least that the vertical axis shows, so that a quiet hour looks quiet. */
  readonly top: number
  /** The least that the horizontal axis shows, in seconds. */
  readonly least: number
  /** Seconds that two of its labels are apart at least: the finest that `time` tells. */
  readonly step: number
  readonly time: (seconds: number) => string
  readonly onCursor: (index: number | null) => void
  readonly Plot: typeof uPlot
}

/** Where a value has no neighbours: no line leads there, and none should over times when nothing was measured. */
const lonely = (values: uPlot.AlignedData[number]): Array<number> => {
  const alone: Array<number> = []
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) alone.push(i)
  }
  return alone
}

const seriesOf = (root: Element, line: Line, Plot: typeof uPlot): uPlot.Series => {
  const colour = css(root, line.tone)
  const bars = line.bars === true ? Plot.paths.bars?.({ size: [0.7, 40], radius: 0.2 }) : undefined
  return {
    label: line.label,
    stroke: colour,
    width: line.bars === true ? 0 : 1.75,
    points: { show: true, size: 4, width: 0, fill: colour, filter: (plot, index) => lonely(plot.data[index] ?? []) },
    ...(line.dashed === true ? { dash: [6, 5] } : {}),
    ...(line.fill === true ? { fill: faint(colour, 0.14) } : {}),
    ...(bars === undefined ? {} : { paths: bars, fill: colour })
  }
}

const second = 1
const minute = 60
const hour = 60 * minute
const day = 24 * hour
const steps = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 3, 7, 14, 28].map((n) => n * day)
]

const wholeSteps = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat()

/** Halves of what is counted would be labelled by the next whole number. */
const countsOnly = (format: Line["format"]) => (format === short ? { incrs: wholeSteps } : {})

/** Bars stand in the middle of their day; the first and the last are wanted whole. */
const rangeOf =
  ({ least, lines, step }: ChartOptions) =>
  (_: uPlot, min: number | null, max: number | null): [number, number] => {
    const beside = lines.some(({ bars }) => bars === true) ? step / 2 : 0
    const last = max ?? 0
    return [Math.min(min ?? 0, last - least) - beside, last + beside]
  }

/** Paints quietly: few grid lines, one scale, no legend of its own. */
export const chartOptions = (root: Element, options: ChartOptions): uPlot.Options => {
  const { height, lines, onCursor, Plot, step, time, top, width } = options
  const muted = css(root, "muted")
  const grid = { stroke: css(root, "line"), width: 1 }
  const font = "12px system-ui, sans-serif"
  const format = lines[0]?.format ?? String
  const still = { show: false }
  return {
    width,
    height,
    // Days are told apart as the server does, wherever the reader is: their keys begin at midnight UTC.
    ...(step >= day ? { tzDate: (seconds) => Plot.tzDate(new Date(seconds * 1000), "Etc/UTC") } : {}),
    padding: [10, 30, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { range: rangeOf(options) },
      y: { range: (_, __, max) => [0, Math.max(top, (max ?? 0) * 1.08)] }
    },
    axes: [
      {
        stroke: muted,
        font,
        grid: still,
        ticks: still,
        size: 28,
        space: 92,
        incrs: steps.filter((seconds) => seconds >= step),
        values: (_, at) => at.map(time)
      },
      {
        stroke: muted,
        font,
        grid,
        ticks: still,
        size: 62,
        space: 34,
        ...countsOnly(format),
        values: (_, at) => at.map((v) => format(v))
      }
    ],
    series: [{}, ...lines.map((line) => seriesOf(root, line, Plot))],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] }
  }
}
