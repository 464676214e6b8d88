import Anthropic, { APIConnectionError, APIConnectionTimeoutError, APIError } from "@anthropic-ai/sdk"
import { Duration, Effect, Redacted, type Scope } from "effect"
import { bodyError, byteEvents } from "./ByteEvents.ts"
import { ClaudeError, Rejected, TimedOut, Unreachable } from "./ClaudeError.ts"
import { makeUndiciFetch, type UndiciFetch } from "./UndiciFetch.ts"
import type { Reply, Whole, WireCall, WireService } from "./Wire.ts"

export interface SdkOptions {
  readonly baseUrl: string
  /** Used for calls that bring no key of their own. */
  readonly apiKey: Redacted.Redacted | undefined
  /** Silence in a body after which a call fails with `TimedOut`. Four minutes by default: clients give up at five. */
  readonly idle?: Duration.Input | undefined
}

/** Headers that belong to one connection or to the body as it was received: never forwarded. */
const hopByHop: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const forwarded = (headers: WireCall["headers"]): Record<string, string | null> => {
  const kept: Record<string, string | null> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!hopByHop.has(name)) kept[name] = value
  }
  return kept
}

/** The call's own credentials replace the configured ones: never both. */
const headersOf = (call: WireCall): Record<string, string | null> => {
  const headers = forwarded(call.headers)
  if (call.apiKey !== undefined) {
    return { ...headers, "x-api-key": null, authorization: `Bearer ${Redacted.value(call.apiKey)}` }
  }
  return "x-api-key" in headers && !("authorization" in headers) ? { ...headers, authorization: null } : headers
}

const bringsKey = (call: WireCall): boolean =>
  call.apiKey !== undefined || "x-api-key" in call.headers || "authorization" in call.headers

const noKey = new ClaudeError({
  reason: new Rejected({
    status: 401,
    body: {
      type: "error",
      error: {
        type: "authentication_error",
        message: "No API key: set ANTHROPIC_API_KEY, or send one with the request"
      }
    },
    headers: {},
    requestId: null
  })
})

/** An error status as a reply; the SDK has parsed its body already. */
const statusReply = (error: APIError): Whole | undefined =>
  typeof error.status === "number"
    ? {
        _tag: "Whole",
        status: error.status,
        headers: Object.fromEntries(error.headers ?? []),
        body: error.error ?? error.message
      }
    : undefined

const failed = (error: unknown, answerMillis: number): Effect.Effect<Reply, ClaudeError> => {
  if (error instanceof APIConnectionTimeoutError) {
    return Effect.fail(new ClaudeError({ reason: new TimedOut({ afterMillis: answerMillis }) }))
  }
  if (error instanceof APIConnectionError && error.cause instanceof ClaudeError) return Effect.fail(error.cause)
  const reply = error instanceof APIError ? statusReply(error) : undefined
  if (reply !== undefined) return Effect.succeed(reply)
  const detail = error instanceof Error ? error.message : String(error)
  return Effect.fail(new ClaudeError({ reason: new Unreachable({ detail }) }))
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const maxTimer = 2 ** 31 - 1

const request = Effect.fnUntraced(function* (
  client: Anthropic,
  call: WireCall
): Effect.fn.Return<Response | Reply, ClaudeError, Scope.Scope> {
  const answerMillis = Math.min(call.answerMillis, maxTimer)
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (open) => Effect.sync(() => open.abort())
  )
  return yield* Effect.tryPromise({
    try: () =>
      client
        .post(call.path, {
          body: call.body,
          headers: headersOf(call),
          timeout: answerMillis,
          signal: controller.signal
        })
        .asResponse(),
    catch: (error) => error
  }).pipe(Effect.catch((error): Effect.Effect<Response | Reply, ClaudeError> => failed(error, answerMillis)))
})

const replyOf = Effect.fnUntraced(function* (
  response: Response,
  { raw }: UndiciFetch,
  idleMillis: number
): Effect.fn.Return<Reply, ClaudeError> {
  const unread = raw(response)
  if (unread === undefined) return { _tag: "Whole", status: response.status, headers: {}, body: null }
  const { body, headers } = unread
  // A body that breaks while nobody listens must not end the process.
  body.on("error", () => {})
  if (headers["content-type"]?.startsWith("text/event-stream") === true) {
    return { _tag: "Events", status: response.status, headers, events: byteEvents(body, idleMillis) }
  }
  const text = yield* Effect.tryPromise({ try: () => body.text(), catch: (error) => bodyError(error, idleMillis) })
  return { _tag: "Whole", status: response.status, headers, body: parseJson(text) }
})

/** The SDK as a wire: it builds the requests and names the errors; attempts, time-outs and bodies are ours. */
export const makeSdkWire = Effect.fnUntraced(function* (
  options: SdkOptions
): Effect.fn.Return<WireService, never, Scope.Scope> {
  const idleMillis = Duration.toMillis(Duration.fromInputUnsafe(options.idle ?? "4 minutes"))
  const undici = yield* Effect.acquireRelease(
    Effect.sync(() => makeUndiciFetch({ idleMillis })),
    ({ close }) => Effect.promise(close)
  )
  const client = new Anthropic({
    // Without one, the SDK would look for credentials of its own in files.
    apiKey: options.apiKey === undefined ? "none" : Redacted.value(options.apiKey),
    baseURL: options.baseUrl,
    maxRetries: 0,
    fetch: undici.fetch,
    logLevel: "off",
    openTelemetry: false
  })
  const call = Effect.fnUntraced(function* (wireCall: WireCall): Effect.fn.Return<Reply, ClaudeError, Scope.Scope> {
    if (options.apiKey === undefined && !bringsKey(wireCall)) return yield* noKey
    const response = yield* request(client, wireCall)
    return response instanceof Response ? yield* replyOf(response, undici, idleMillis) : response
  })
  return { call, kind: "anthropic" }
})
