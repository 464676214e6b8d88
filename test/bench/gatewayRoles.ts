/** The processes that `gateway.ts` starts: an upstream without latency, a bare pass-through, and the load. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as Undici from "@effect/platform-node/Undici"

const role = process.argv[2]
const target = process.argv[3] ?? ""
const tell = (value: unknown): void => {
  process.send?.(value)
}

const listen = (handle: (request: IncomingMessage, response: ServerResponse) => void): void => {
  const server = createServer({ keepAliveTimeout: 60_000 }, handle).listen(0, "127.0.0.1", () => {
    const address = server.address()
    tell({ port: typeof address === "object" && address !== null ? address.port : 0 })
  })
}

const usage = { input_tokens: 400, output_tokens: 300, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
const head = { id: "msg_bench", type: "message", role: "assistant", model: "claude-sonnet-5-5" }
const answer = Buffer.from(
  JSON.stringify({
    ...head,
    content: [{ type: "text", text: "All work and no play. ".repeat(80) }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage
  })
)

const frame = (event: { readonly type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
const frames = [
  frame({
    type: "message_start",
    message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } }
  } as { readonly type: string }),
  frame({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } } as {
    readonly type: string
  }),
  ...Array.from({ length: 50 }, (_, n) =>
    frame({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: ` some words ${n}` } } as {
      readonly type: string
    })
  ),
  frame({ type: "content_block_stop", index: 0 } as { readonly type: string }),
  frame({ type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage } as {
    readonly type: string
  }),
  frame({ type: "message_stop" })
].map((text) => Buffer.from(text))

const upstream = (): void =>
  listen((request, response) => {
    let streamed = false
    request.on("data", (chunk: Buffer) => {
      streamed ||= chunk.includes('"stream":true')
    })
    request.on("end", () => {
      if (streamed) {
        response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "request-id": "req_bench" })
        for (const bytes of frames) response.write(bytes)
        response.end()
        return
      }
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": answer.length,
        "request-id": "req_bench"
      })
      response.end(answer)
    })
  })

const bare = (): void => {
  const agent = new Undici.Agent({ keepAliveTimeout: 60_000 })
  listen(async (request, response) => {
    const { host: _, connection: __, "transfer-encoding": ___, ...headers } = request.headers
    const reply = await agent.request({
      origin: target,
      path: request.url ?? "/",
      method: "POST",
      headers,
      body: request
    })
    const { connection: ____, "keep-alive": _____, ...kept } = reply.headers
    response.writeHead(reply.statusCode, kept)
    reply.body.pipe(response)
  })
}

interface Load {
  readonly url: string
  readonly seconds: number
  /** Requests a second, evenly; without it, `connections` requests are always under way. */
  readonly rate?: number
  readonly connections: number
  readonly streamed: boolean
  /** Bytes of the request's body, about. */
  readonly bytes: number
}

let made = 0
const bodyOf = ({ bytes, streamed }: Load): string =>
  JSON.stringify({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    ...(streamed ? { stream: true } : {}),
    system: "You are a planner of sub-agents. Answer with the next step only.",
    messages: Array.from({ length: Math.max(1, Math.round(bytes / 1_000)) }, (_, n) => ({
      role: n % 2 === 0 ? "user" : "assistant",
      content: `${n === 0 ? `Request ${process.pid}.${made++}: ` : ""}${"what is the next step of the plan, please? ".repeat(22)}`
    })).slice(0, Math.round(bytes / 1_000) % 2 === 0 ? -1 : undefined)
  })

const headers = { "content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "sk-ant-bench" }

const once = (pool: Undici.Pool, load: Load): Promise<number> =>
  new Promise((resolve, reject) => {
    const started = process.hrtime.bigint()
    let status = 0
    pool.dispatch(
      { path: "/v1/messages", method: "POST", headers, body: bodyOf(load) },
      {
        onRequestStart() {},
        onResponseStart(_, code) {
          status = code
        },
        onResponseData() {},
        onResponseEnd() {
          if (status === 200) resolve(Number(process.hrtime.bigint() - started) / 1e6)
          else reject(new Error(`answered ${status}`))
        },
        onResponseError(_, error) {
          reject(error)
        }
      }
    )
  })

const run = async (load: Load): Promise<{ readonly millis: ReadonlyArray<number>; readonly seconds: number }> => {
  const pool = new Undici.Pool(load.url, { connections: load.connections, keepAliveTimeout: 60_000 })
  const millis: Array<number> = []
  const began = performance.now()
  const over = () => performance.now() - began >= load.seconds * 1000
  if (load.rate === undefined) {
    const worker = async () => {
      while (!over()) millis.push(await once(pool, load))
    }
    await Promise.all(Array.from({ length: load.connections }, worker))
  } else {
    const pending: Array<Promise<unknown>> = []
    for (let n = 0; !over(); n++) {
      const due = began + (n * 1000) / load.rate
      const wait = due - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      pending.push(once(pool, load).then((took) => millis.push(took)))
    }
    await Promise.all(pending)
  }
  const seconds = (performance.now() - began) / 1000
  await pool.destroy()
  return { millis, seconds }
}

const load = (): void => {
  process.on("message", (job: Load) => {
    run(job).then(
      ({ millis, seconds }) => {
        const sorted = millis.toSorted((a, b) => a - b)
        const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
        tell({ requests: sorted.length, perSecond: sorted.length / seconds, p50: at(0.5), p99: at(0.99) })
      },
      (error: unknown) => tell({ error: String(error) })
    )
  })
  tell({ port: 0 })
}

const roles: Record<string, () => void> = { upstream, bare, load }
roles[role ?? ""]?.()
