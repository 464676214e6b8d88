import { Effect, Layer, Logger, type LogLevel, References } from "effect"
import { Settings, type SettingsShape } from "../Settings.ts"

const levels: Record<SettingsShape["logLevel"], LogLevel.LogLevel> = {
  debug: "Debug",
  info: "Info",
  warning: "Warn",
  error: "Error"
}

/** The log as LOG_LEVEL and LOG_FORMAT want it. */
export const layerLogging = Layer.unwrap(
  Effect.map(Settings, ({ logFormat, logLevel }) => {
    const level = Layer.succeed(References.MinimumLogLevel, levels[logLevel])
    return logFormat === "json" ? Layer.merge(level, Logger.layer([Logger.consoleJson])) : level
  })
)
