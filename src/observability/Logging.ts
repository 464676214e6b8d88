import { format } from "node:util"
import { Cause, Effect, Layer, Logger, type LogLevel, References } from "effect"
import { Settings, type SettingsShape } from "../Settings.ts"
import { makeLines } from "./Lines.ts"

const levels: Record<SettingsShape["logLevel"], LogLevel.LogLevel> = {
  debug: "Debug",
  info: "Info",
  warning: "Warn",
  error: "Error"
}

const two = (n: number): string => String(n).padStart(2, "0")

const timeOf = (date: Date): string =>
  `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`

const plain = /^[\w./:+-]+$/

const valueOf = (value: unknown): string => {
  if (typeof value !== "string") return typeof value === "object" ? format("%o", value) : String(value)
  return plain.test(value) ? value : JSON.stringify(value)
}

const messageOf = (message: unknown): string => {
  const parts = Array.isArray(message) ? message : [message]
  return parts.length === 1 && typeof parts[0] === "string" ? parts[0] : format(...parts)
}

/** A line for people: time, level, message, then `name=value` for every annotation. */
const textOf = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  let line = `[${timeOf(date)}] ${logLevel.toUpperCase()} (#${fiber.id}): ${messageOf(message)}`
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  for (const name of Object.keys(annotations)) line += ` ${name}=${valueOf(annotations[name])}`
  return cause.reasons.length === 0 ? line : `${line}\n${Cause.pretty(cause)}`
})

/** The log as LOG_LEVEL and LOG_FORMAT want it, on standard output. */
export const layerLogging = Layer.unwrap(
  Effect.map(Settings, ({ logFormat, logLevel }) => {
    const level = Layer.succeed(References.MinimumLogLevel, levels[logLevel])
    const lines = makeLines()
    return Layer.merge(level, Logger.layer([Logger.map(logFormat === "json" ? Logger.formatJson : textOf, lines)]))
  })
)
