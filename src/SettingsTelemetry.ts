import { Config, Schema } from "effect"

/** A variable of OpenTelemetry's own, which its exporters read by themselves: here it is only looked at. */
export interface TelemetryVariable {
  readonly name: string
  readonly accepts: string
  readonly secret: boolean
  /** Fails where an exporter would. */
  readonly config: Config.Config<unknown>
}

const signals = ["TRACES", "METRICS", "LOGS"] as const

const millis = (name: string): TelemetryVariable => ({
  name,
  accepts: "a whole number of milliseconds, 1 or more",
  secret: false,
  config: Config.schema(Schema.Int.check(Schema.isGreaterThan(0)), name)
})

const oneOf = (name: string, literals: ReadonlyArray<string>): TelemetryVariable => ({
  name,
  accepts: literals.join(" or "),
  secret: false,
  config: Config.Literals(literals, name)
})

const isEncoded = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
const arePairs = (text: string): boolean => text.split(",").every((pair) => /^[^=]+=/.test(pair) && isEncoded(pair))

const pairs = (name: string, secret: boolean): TelemetryVariable => ({
  name,
  accepts: "key=value pairs separated by commas, percent-encoded where needed",
  secret,
  config: Config.schema(Schema.String.check(Schema.makeFilter(arePairs)), name)
})

const isHttp = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

const endpoint = (name: string): TelemetryVariable => ({
  name,
  accepts: "a URL that starts with https:// or http://",
  secret: true,
  config: Config.schema(Schema.String.check(Schema.makeFilter(isHttp)), name)
})

const compression = (name: string) => oneOf(name, ["gzip", "none"])

/** What can be wrong among OpenTelemetry's variables; docs/metrics.md lists what they do. */
export const telemetryVariables: ReadonlyArray<TelemetryVariable> = [
  {
    name: "OTEL_SDK_DISABLED",
    accepts: "true or false (also on/off, yes/no, 1/0)",
    secret: false,
    config: Config.Boolean("OTEL_SDK_DISABLED")
  },
  pairs("OTEL_RESOURCE_ATTRIBUTES", false),
  pairs("OTEL_EXPORTER_OTLP_HEADERS", true),
  compression("OTEL_EXPORTER_OTLP_COMPRESSION"),
  millis("OTEL_EXPORTER_OTLP_TIMEOUT"),
  ...signals.flatMap((signal) => [
    endpoint(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`),
    pairs(`OTEL_EXPORTER_OTLP_${signal}_HEADERS`, true),
    compression(`OTEL_EXPORTER_OTLP_${signal}_COMPRESSION`),
    millis(`OTEL_EXPORTER_OTLP_${signal}_TIMEOUT`)
  ]),
  oneOf("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["delta", "cumulative"]),
  ...["OTEL_BSP", "OTEL_BLRP"].flatMap((batch) => [
    millis(`${batch}_SCHEDULE_DELAY`),
    millis(`${batch}_EXPORT_TIMEOUT`),
    {
      ...millis(`${batch}_MAX_EXPORT_BATCH_SIZE`),
      accepts: "a whole number, 1 or more"
    }
  ]),
  millis("OTEL_METRIC_EXPORT_INTERVAL"),
  millis("OTEL_METRIC_EXPORT_TIMEOUT")
]
