import { createServer, type IncomingHttpHeaders } from "node:http"
import { text } from "node:stream/consumers"
import { Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { Claude } from "../../src/claude/Claude.ts"
import type { SdkOptions } from "../../src/claude/SdkWire.ts"
import * as SimulatorServer from "../../src/testing/SimulatorServer.ts"

/** The address of the server that a test listens on. */
export const baseUrl = HttpServer.addressFormattedWith((address) => Effect.succeed(address))

/** `Claude` through the SDK, a socket and the simulator's server. */
export const overSocket = (
  options: Partial<SimulatorServer.SimulatorServerOptions> = {},
  sdk: Partial<SdkOptions> = {}
) =>
  Layer.unwrap(
    Effect.map(baseUrl, (url) => Claude.layerAnthropic({ baseUrl: url, apiKey: Redacted.make("sk-test"), ...sdk }))
  ).pipe(Layer.provideMerge(SimulatorServer.layer({ port: 0, shutdown: "1 millis", ...options })))

/** A bare server that keeps what it was sent and refuses all of it, and a `Claude` that talks to it. */
export const captured = Effect.gen(function* () {
  const seen: Array<{ readonly headers: IncomingHttpHeaders; readonly body: string }> = []
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const created = createServer(async (request, response) => {
        seen.push({ headers: request.headers, body: await text(request) })
        response.writeHead(418, { "content-type": "text/html" }).end("<html>no</html>")
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
    }),
    (created) => Effect.sync(() => created.close())
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const layer = Claude.layerAnthropic({ baseUrl: `http://127.0.0.1:${port}`, apiKey: Redacted.make("sk-test") })
  return { seen, layer }
})
