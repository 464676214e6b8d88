import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import { buffer } from "node:stream/consumers"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { layerServices } from "../../src/App.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { serve } from "../../src/http/Server.ts"
import { Settings, type SettingsOverrides } from "../../src/Settings.ts"
import * as SimulatorServer from "../../src/testing/SimulatorServer.ts"
import { Simulator, type SimulatorOptions } from "../../src/testing/simulator/Simulator.ts"

export const model = "claude-sonnet-5-5"
export const serverKey = "sk-ant-server"

/** Where the gateway and its upstream listen. */
export class Addresses extends Context.Service<Addresses, { readonly gateway: string; readonly upstream: string }>()(
  "test/gateway/Addresses"
) {}

class Upstream extends Context.Service<Upstream, string>()("test/gateway/Upstream") {}

const address = HttpServer.addressFormattedWith((url) => Effect.succeed(url))

const simulator = (options: SimulatorOptions) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const built = yield* Layer.build(SimulatorServer.layer({ port: 0, shutdown: "1 millis", ...options }))
      const url = yield* Effect.provide(address, built)
      return Context.make(Simulator, Context.get(built, Simulator)).pipe(Context.add(Upstream, url))
    })
  )

export interface WorldOptions {
  readonly settings?: SettingsOverrides
  readonly simulator?: SimulatorOptions
  /** Off by default: then one request of a client is one request at upstream. */
  readonly retries?: boolean
}

const gateway = (options: WorldOptions) => {
  const claude = Layer.unwrap(
    Effect.map(Upstream, (baseUrl) => {
      const single = Claude.layerAnthropic({ baseUrl, apiKey: Redacted.make(serverKey) })
      return options.retries === true ? Claude.layerRetrying.pipe(Layer.provide(single)) : single
    })
  )
  return serve.pipe(
    Layer.provideMerge(layerServices),
    Layer.provideMerge(claude),
    Layer.provideMerge(Settings.layerWith({ rateLimitTokensPerMinute: 100_000_000, ...options.settings })),
    Layer.provideMerge(
      NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 millis" })
    ),
    Layer.provideMerge(NodeHttpServer.layerHttpServices)
  )
}

const addresses = Layer.effect(
  Addresses,
  Effect.gen(function* () {
    return { gateway: yield* address, upstream: yield* Upstream }
  })
)

/** Everything as it ships but for the database, which a file's worlds share, on real sockets: a client's requests go to the gateway, the gateway's to the simulator. */
export const world = (options: WorldOptions = {}) =>
  addresses.pipe(Layer.provideMerge(gateway(options)), Layer.provideMerge(simulator(options.simulator ?? {})))

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export type Reply = (response: ServerResponse, seen: Seen) => void

const rawUpstream = (reply: { current: Reply }, seen: Array<Seen>, closed: { count: number }) =>
  Layer.effect(
    Upstream,
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const created = createServer(async (request, response) => {
            response.on("close", () => {
              if (!response.writableEnded) closed.count++
            })
            const { headers, method = "", url = "" } = request
            const got = { method, url, headers, body: await buffer(request) }
            seen.push(got)
            reply.current(response, got)
          }).listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
        }),
        (created) =>
          Effect.sync(() => {
            created.closeAllConnections()
            created.close()
          })
      )
      const at = server.address()
      return `http://127.0.0.1:${typeof at === "object" && at !== null ? at.port : 0}`
    })
  )

/** An upstream that keeps the very bytes it gets, and answers the very bytes it is told. */
export class Wiretap extends Context.Service<
  Wiretap,
  { readonly seen: Array<Seen>; readonly reply: { current: Reply }; readonly closed: { count: number } }
>()("test/gateway/Wiretap") {}

/** The gateway in front of a `Wiretap`. */
export const tapped = (options: WorldOptions = {}) =>
  Layer.unwrap(
    Effect.sync(() => {
      const tap = { seen: [], reply: { current: answering({}) }, closed: { count: 0 } }
      return addresses.pipe(
        Layer.provideMerge(gateway(options)),
        Layer.provideMerge(rawUpstream(tap.reply, tap.seen, tap.closed)),
        Layer.provideMerge(Layer.succeed(Wiretap, tap))
      )
    })
  )

export const message = (more: object = {}) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: "Hello" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 5 },
  ...more
})

export const answering =
  (more: object, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(message(more)))
  }

export const frame = (event: { readonly type: string; readonly [field: string]: unknown }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** A small streamed answer, frame by frame. */
export const frames = [
  frame({ type: "message_start", message: message({ content: [], stop_reason: null }) }),
  frame({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  'event: ping\ndata: {"type": "ping"}\n\n',
  frame({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } }),
  frame({ type: "content_block_stop", index: 0 }),
  frame({
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 5 }
  }),
  frame({ type: "message_stop" })
] as const

let asked = 0

/** A body that nobody sent before, so that no cache answers it. */
export const body = (more: object = {}): Record<string, unknown> => ({
  model,
  max_tokens: 100,
  messages: [{ role: "user", content: `Question ${++asked} of this test` }],
  ...more
})

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a parsed body; every test asserts on what it reads of it
  readonly json: any
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends to the gateway and reads the whole answer. A string or bytes go as they are. */
export const send = (
  path: string,
  options: {
    readonly body?: unknown
    readonly headers?: Record<string, string>
    readonly method?: string
    readonly signal?: AbortSignal
  } = {}
) =>
  Effect.flatMap(Addresses, ({ gateway }) =>
    Effect.promise(async (signal): Promise<Answer> => {
      const { body, headers, method = body === undefined ? "GET" : "POST" } = options
      const raw = typeof body === "string" || body instanceof Uint8Array || body === undefined
      const response = await fetch(`${gateway}${path}`, {
        method,
        headers: { "content-type": "application/json", "anthropic-version": "2023-06-01", ...headers },
        ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
        signal: options.signal ?? signal
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parsed(text) }
    })
  )

export const post = (content: unknown, headers: Record<string, string> = {}) =>
  send("/v1/messages", { body: content, headers })

/** Waits until `test` holds: what happens on sockets happens when it does. */
export const eventually = (test: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (test() ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), eventually(test))))
