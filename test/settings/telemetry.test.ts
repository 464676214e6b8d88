import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import { Telemetry } from "../../src/observability/Telemetry.ts"
import { Settings } from "../../src/Settings.ts"
import { telemetryVariables } from "../../src/SettingsTelemetry.ts"

type Env = Record<string, string>

const exporting = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }
const provider = (env: Env) => ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))
const load = (env: Env) => Effect.provide(Settings, Settings.layer.pipe(Layer.provide(provider(env))))

/** For each variable: what exporters take, and what would have ended the start with a defect. */
const values = (name: string): { readonly good: ReadonlyArray<string>; readonly bad: ReadonlyArray<string> } => {
  if (name.endsWith("_HEADERS") || name === "OTEL_RESOURCE_ATTRIBUTES") {
    return { good: ["a=b", "a=b,c=d%20e"], bad: ["no-pair", "a=%zz"] }
  }
  if (name.endsWith("_ENDPOINT")) return { good: ["https://collector.example/x"], bad: ["collector:port", "//x"] }
  if (name.endsWith("_COMPRESSION")) return { good: ["gzip", "none"], bad: ["zip", "GZIP"] }
  if (name.endsWith("_PREFERENCE")) return { good: ["delta"], bad: ["gamma"] }
  if (name === "OTEL_SDK_DISABLED") return { good: ["true", "no"], bad: ["maybe"] }
  return { good: ["1", "30000"], bad: ["abc", "1.5", "5s", "0", "-1"] }
}

describe("OpenTelemetry's own variables", () => {
  for (const { accepts, name, secret } of telemetryVariables) {
    const { bad, good } = values(name)

    it.effect(`${name} is refused in one line when it cannot be meant`, () =>
      Effect.forEach(bad, (text) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(load({ ...exporting, [name]: text }))
          const shown = secret ? "<hidden>" : JSON.stringify(text)
          assert.strictEqual(error.message, `${name}=${shown} is not accepted: it takes ${accepts}.`)
        })
      )
    )

    it.effect(`${name} is taken by the exporter as it is taken here`, () =>
      Effect.forEach(good, (text) =>
        Effect.gen(function* () {
          const env = { ...exporting, [name]: text }
          const built = Layer.build(Telemetry.layer.pipe(Layer.provide(Settings.layer), Layer.provide(provider(env))))
          assert.isTrue((yield* Effect.exit(Effect.scoped(built)))._tag === "Success", text)
        })
      )
    )
  }

  it.effect("say nothing where nothing is exported", () =>
    Effect.gen(function* () {
      const settings = yield* load({ OTEL_BSP_SCHEDULE_DELAY: "abc" })
      assert.isTrue(Option.isNone(settings.otlpEndpoint))
      const exported = yield* load({ ...exporting, OTEL_BSP_SCHEDULE_DELAY: "" })
      assert.deepStrictEqual(Option.map(exported.otlpEndpoint, Redacted.value), Option.some("http://127.0.0.1:4318"))
    })
  )
})
