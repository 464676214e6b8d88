import { Console, Duration, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { HttpServer } from "effect/http"
import { accepting } from "./accepting.ts"
import { lazy } from "./lazy.ts"
import { whileAsked } from "./whileAsked.ts"

const millis = (name: string, description: string) =>
  Flag.Int(name).pipe(
    accepting("milliseconds, 0 or more", (value) => value >= 0),
    Flag.withDescription(`${description}, in milliseconds; 0 by default`),
    Flag.withDefault(0)
  )

const limit = (name: string, description: string) =>
  Flag.Int(name).pipe(
    accepting("a whole number, 1 or more", (value) => value > 0),
    Flag.withDescription(`${description}; more is answered with 429`),
    Flag.optional
  )

const flags = {
  host: Flag.String("host").pipe(
    Flag.withDescription("Where to listen; 127.0.0.1 by default"),
    Flag.withDefault("127.0.0.1")
  ),
  port: Flag.Int("port").pipe(
    Flag.withDescription("Port to listen on, 9404 by default; 0 takes a free one"),
    accepting("a whole number from 0 to 65535", (port) => port >= 0 && port <= 65_535),
    Flag.withDefault(9404)
  ),
  latency: millis("latency", "Until an answer begins"),
  perToken: millis("per-token", "For every output token of a stream"),
  inputTokensPerMinute: limit("input-tokens-per-minute", "Input tokens a minute"),
  outputTokensPerMinute: limit("output-tokens-per-minute", "Output tokens a minute"),
  requestsPerMinute: limit("requests-per-minute", "Requests a minute")
}

const announced = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) =>
    Console.log(`Simulating the Anthropic API on ${address}. Set ANTHROPIC_BASE_URL to it, and any ANTHROPIC_API_KEY.`)
  )
)

/** The Anthropic API without Anthropic: usage, prompt caching, limits and faults, but no intelligence. */
export const simulate = Command.make("simulate", flags, ({ host, latency, perToken, port, ...limits }) =>
  lazy(
    () => import("../testing/SimulatorServer.ts"),
    (SimulatorServer) => {
      const server = SimulatorServer.layer({
        host,
        port,
        firstByte: Duration.millis(latency),
        perToken: Duration.millis(perToken),
        limits: {
          inputTokensPerMinute: Option.getOrUndefined(limits.inputTokensPerMinute),
          outputTokensPerMinute: Option.getOrUndefined(limits.outputTokensPerMinute),
          requestsPerMinute: Option.getOrUndefined(limits.requestsPerMinute)
        }
      })
      return whileAsked(Layer.launch(Layer.provide(announced, server)))
    }
  )
).pipe(
  Command.withDescription("Run a simulator of the Anthropic API over HTTP"),
  Command.withExamples([
    { command: "sluice simulate --port 9404 --latency 300 --per-token 10", description: "As slow as the real one" }
  ])
)
