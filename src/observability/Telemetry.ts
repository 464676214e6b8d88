import { ConfigProvider, Context, Effect, Layer, Metric, Option, Redacted, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import { Settings, type SettingsShape } from "../Settings.ts"
import { version } from "../version.ts"
import { Monitor } from "./Monitor.ts"

const resource = { serviceVersion: version }

/** What OpenTelemetry's variables mean where they say nothing. */
const fallbacks = (endpoint: string): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_LOGS_EXPORTER: "otlp",
  OTEL_SERVICE_NAME: "sluice"
})

/** Everything that an exporter needs; undefined when nothing is to be exported. */
const environment = ({ otlpEndpoint }: SettingsShape) => {
  if (Option.isNone(otlpEndpoint)) return undefined
  const env = fallbacks(Redacted.value(otlpEndpoint.value))
  return Layer.mergeAll(
    OtlpSerialization.layerProtobuf,
    FetchHttpClient.layer,
    ConfigProvider.layerAdd(ConfigProvider.fromEnv({ env }))
  )
}

/** Where spans of governed requests go. Without OTEL_EXPORTER_OTLP_ENDPOINT there is no tracer, and nothing is wrapped. */
export class Telemetry extends Context.Service<
  Telemetry,
  {
    readonly tracer: Tracer.Tracer | undefined
    /** Whether spans hold prompts and answers. */
    readonly captureContent: boolean
  }
>()("sluice/observability/Telemetry") {
  static readonly layer: Layer.Layer<Telemetry, never, Settings> = Layer.effect(
    this,
    Effect.gen(function* () {
      const settings = yield* Settings
      const { captureContent } = settings
      const needs = environment(settings)
      if (needs === undefined) return { tracer: undefined, captureContent }
      const built = yield* Layer.build(OtlpTracer.layerFromConfig({ resource }).pipe(Layer.provide(needs)))
      // OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none leave the built-in tracer, which would only cost.
      const exports = built.mapUnsafe.has(Tracer.Tracer.key)
      return { tracer: exports ? Context.get(built, Tracer.Tracer) : undefined, captureContent }
    })
  )

  static readonly layerOff = Layer.succeed(this, { tracer: undefined, captureContent: false })

  /** With a tracer of one's own. For tests, and for embedders that trace already. */
  static readonly layerWith = (tracer: Tracer.Tracer, captureContent = false): Layer.Layer<Telemetry> =>
    Layer.succeed(Telemetry, { tracer, captureContent })
}

/** Exports what the Monitor measures, when there is somewhere to export it to. */
export const layerMetrics: Layer.Layer<never, never, Settings | Monitor> = Layer.unwrap(
  Effect.gen(function* () {
    const { registry } = yield* Monitor
    const needs = environment(yield* Settings)
    if (needs === undefined) return Layer.empty
    return OtlpMetrics.layerFromConfig({ resource }).pipe(
      Layer.provide([needs, Layer.succeed(Metric.MetricRegistry, registry)]),
      Layer.flatMap(() => Layer.empty)
    )
  })
)

/** Adds the exporter to the loggers, when there is somewhere to export to. */
export const layerLogs: Layer.Layer<never, never, Settings> = Layer.unwrap(
  Effect.map(Settings, (settings): Layer.Layer<never> => {
    const needs = environment(settings)
    return needs === undefined ? Layer.empty : OtlpLogger.layerFromConfig({ resource }).pipe(Layer.provide(needs))
  })
)

/** Spans of HTTP requests go where the others go. */
export const layerTracer: Layer.Layer<never, never, Telemetry> = Layer.unwrap(
  Effect.map(Telemetry, ({ tracer }) => (tracer === undefined ? Layer.empty : Layer.succeed(Tracer.Tracer, tracer)))
)
