import { Context, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"

export type Labels = Readonly<Record<string, string>>

/** What is measured, in base units. */
export interface Instrument {
  /** As OpenTelemetry writes it. */
  readonly name: string
  /** UCUM: `s`, `By`, `1`, `{token}`. */
  readonly unit: string
  /** As it is scraped. */
  readonly prometheus: string
  readonly description: string
  /** What one of the recorded steps is in `unit`, for figures that are counted as integers. */
  readonly scale?: number
}

/** Adds to the series with these label values, in the order of the label names. Without values: the one series. */
export type Add = (amount: number, ...values: ReadonlyArray<string>) => void

interface Cell {
  value: number
}

const nothing = () => {}
const separator = "\u0000"

/**
 * Counters and gauges that live in plain numbers, histograms that live in Effect, all in one registry that is read when
 * somebody scrapes or exports. Adding to a series costs one look-up. Bounding the label values is up to the caller.
 */
export class Instruments {
  readonly registry: Metric.MetricRegistry = new Map()
  private readonly context: Context.Context<never> = Context.make(Metric.MetricRegistry, this.registry)
  private readonly names = new Map<string, string>()

  counter(instrument: Instrument, ...labels: ReadonlyArray<string>): Add {
    const { scale = 1 } = instrument
    const cellOf = this.series(instrument, labels, (attributes) => {
      const cell: Cell = { value: 0 }
      const metric = Metric.counter(instrument.name, { ...this.described(instrument, attributes), incremental: true })
      const get = () => ({ count: cell.value * scale, incremental: true })
      Metric.registerUnsafe(metric, this.context, { get, update: nothing, modify: nothing })
      return cell
    })
    return (amount, ...values) => {
      cellOf(values).value += amount
    }
  }

  /** A figure that is read when it is asked for. */
  gauge(instrument: Instrument, read: () => number, labels: Labels = {}): void {
    const metric = Metric.gauge(instrument.name, this.described(instrument, labels))
    Metric.registerUnsafe(metric, this.context, { get: () => ({ value: read() }), update: nothing, modify: nothing })
  }

  /** A total that somebody else counts. */
  total(instrument: Instrument, read: () => number, labels: Labels = {}): void {
    const metric = Metric.counter(instrument.name, { ...this.described(instrument, labels), incremental: true })
    const get = () => ({ count: read(), incremental: true })
    Metric.registerUnsafe(metric, this.context, { get, update: nothing, modify: nothing })
  }

  /** Counts into buckets up to `boundaries`, and above. */
  histogram(instrument: Instrument, boundaries: ReadonlyArray<number>, ...labels: ReadonlyArray<string>): Add {
    const { scale = 1 } = instrument
    const metricOf = this.series(instrument, labels, (attributes) =>
      Metric.histogram(instrument.name, { ...this.described(instrument, attributes), boundaries })
    )
    return (amount, ...values) => metricOf(values).updateUnsafe(amount * scale, this.context)
  }

  /** In Prometheus' text format. */
  exposition(): string {
    return PrometheusMetrics.formatUnsafe(this.context, {
      metricNameMapper: (name) => this.names.get(name) ?? name
    })
  }

  private described(instrument: Instrument, labels: Labels) {
    this.names.set(instrument.name, instrument.prometheus)
    return { description: instrument.description, attributes: { ...labels, unit: instrument.unit } }
  }

  private series<A>(instrument: Instrument, labels: ReadonlyArray<string>, make: (attributes: Labels) => A) {
    this.names.set(instrument.name, instrument.prometheus)
    const known = new Map<string, A>()
    return (values: ReadonlyArray<string>): A => {
      const key = values.length === 1 ? (values[0] ?? "") : values.join(separator)
      const found = known.get(key)
      if (found !== undefined) return found
      const made = make(Object.fromEntries(labels.map((label, n) => [label, values[n] ?? ""])))
      known.set(key, made)
      return made
    }
  }
}
