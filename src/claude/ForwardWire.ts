import * as Undici from "@effect/platform-node/Undici"
import { Array as Arr, Duration, Effect, Redacted, type Scope, Stream } from "effect"
import type { StreamEvent } from "../domain/MessagesRequest.ts"
import { withOriginal } from "../domain/Original.ts"
import { ClaudeError, ServerFault } from "./ClaudeError.ts"
import { otherwise } from "./EventGuard.ts"
import { type Exchange, exchange } from "./Exchange.ts"
import { frameParser } from "./Frames.ts"
import type { SdkOptions } from "./SdkWire.ts"
import type { Forward, RelayCall, Relayed, Reply, WireCall, WireService } from "./Wire.ts"

/** Idle connections are kept this long: an orchestrator thinks between two requests, and a new TLS connection costs. */
const keepAliveMillis = 60_000

const parseJson = (bytes: Uint8Array): unknown => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? withOriginal(value, bytes) : value
  } catch {
    return text
  }
}

/** A subscription's token is only taken as a bearer; a key is taken either way, so it goes as it was presented. */
const isBearer = (key: string, scheme: Forward["scheme"] | undefined): boolean =>
  scheme === "bearer" || key.startsWith("sk-ant-oat")

const credentials = (
  {
    apiKey,
    scheme
  }: { readonly apiKey: Redacted.Redacted | undefined; readonly scheme: Forward["scheme"] | undefined },
  configured: Redacted.Redacted | undefined
): Record<string, string> => {
  const used = apiKey ?? configured
  if (used === undefined) return {}
  const key = Redacted.value(used)
  return isBearer(key, apiKey === undefined ? undefined : scheme)
    ? { authorization: `Bearer ${key}` }
    : { "x-api-key": key }
}

/** A body that is written anew is plain, however the one that came was compressed. */
const headersFor = ({ headers }: WireCall, body: Forward["body"]): WireCall["headers"] => {
  if (body !== undefined) return headers
  const { "content-encoding": _, ...plain } = headers
  return plain
}

const encoded = ({ headers }: Exchange): boolean => (headers["content-encoding"] ?? "identity") !== "identity"

const unreadable = ({ headers }: Exchange): ClaudeError =>
  otherwise(`it came as ${headers["content-encoding"]}, though it was asked for without compression`)

const isRedirect = ({ status }: Exchange): boolean => status >= 300 && status < 400

/** Not passed on: the client would follow, with its token for this gateway, and past all that is governed here. */
const redirected = ({ headers, status }: Exchange): ClaudeError => {
  const where = headers.location === undefined ? "nowhere" : `to ${headers.location}`
  const message = `Upstream redirects (${status}) ${where}. Set ANTHROPIC_BASE_URL to where it answers itself.`
  return new ClaudeError({
    reason: new ServerFault({
      status: 502,
      body: { type: "error", error: { type: "api_error", message } },
      headers: { "content-type": "application/json", "x-should-retry": "false" },
      requestId: null,
      retryAfterMillis: null
    })
  })
}

const isEvents = ({ headers }: Exchange): boolean => headers["content-type"]?.startsWith("text/event-stream") === true

const eventsOf = (chunks: Exchange["chunks"]): Stream.Stream<StreamEvent, ClaudeError> =>
  Stream.fromPull(
    Effect.sync(() => {
      const parser = frameParser()
      const pull: Effect.Effect<
        Arr.NonEmptyReadonlyArray<StreamEvent>,
        Effect.Error<Exchange["chunks"]>
      > = Effect.flatMap(chunks, (arrived) => {
        // Upstream writes every event as a chunk of its own; what arrives together is read together.
        const events = parser.push(arrived.length === 1 ? arrived[0] : Buffer.concat(arrived))
        return Arr.isReadonlyArrayNonEmpty(events) ? Effect.succeed(events) : pull
      })
      return pull
    })
  )

/**
 * Sends what the gateway forwards as it came: the body's own bytes, every header, the caller's credentials; and brings
 * back answers and events that remember theirs. Everything else goes through `inner`.
 */
export const makeForwardWire = Effect.fnUntraced(function* (
  inner: WireService,
  options: SdkOptions
): Effect.fn.Return<WireService, never, Scope.Scope> {
  const { origin, pathname } = new URL(options.baseUrl)
  const prefix = pathname.replace(/\/+$/, "")
  const idleMillis = Duration.toMillis(Duration.fromInputUnsafe(options.idle ?? "4 minutes"))
  const dispatcher = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Undici.Agent({
          connect: { timeout: 10_000 },
          allowH2: false,
          keepAliveTimeout: keepAliveMillis,
          keepAliveMaxTimeout: 10 * keepAliveMillis
        })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )

  const send = Effect.fnUntraced(function* (
    request: Pick<RelayCall, "method" | "path" | "query" | "headers"> & {
      readonly body: Uint8Array | string | null
      readonly credentials: Record<string, string>
      readonly answerMillis: number
    }
  ) {
    const answer = yield* exchange({
      dispatcher,
      origin,
      path: `${prefix}${request.path}${request.query}`,
      method: request.method,
      headers: {
        "content-type": "application/json",
        ...request.headers,
        ...request.credentials,
        "accept-encoding": "identity"
      },
      body: request.body,
      answerMillis: request.answerMillis,
      idleMillis
    })
    return isRedirect(answer) ? yield* redirected(answer) : answer
  })

  const forward = Effect.fnUntraced(function* (call: WireCall, { body, query, scheme }: Forward) {
    const answer = yield* send({
      method: "POST",
      path: call.path,
      query,
      headers: headersFor(call, body),
      body: body ?? JSON.stringify(call.body),
      credentials: credentials({ apiKey: call.apiKey, scheme }, options.apiKey),
      answerMillis: call.answerMillis
    })
    const { headers, status } = answer
    if (encoded(answer)) return yield* unreadable(answer)
    if (isEvents(answer)) return { _tag: "Events", status, headers, events: eventsOf(answer.chunks) } satisfies Reply
    const bytes = yield* answer.bytes
    return { _tag: "Whole", status, headers, body: parseJson(bytes), bytes } satisfies Reply
  })

  const relay = Effect.fnUntraced(function* (call: RelayCall) {
    const answer = yield* send({
      ...call,
      body: call.body ?? null,
      credentials: credentials(call, options.apiKey)
    })
    return { status: answer.status, headers: answer.headers, body: yield* answer.bytes } satisfies Relayed
  }, Effect.scoped)

  return {
    ...inner,
    call: (call) => (call.forward === undefined ? inner.call(call) : forward(call, call.forward)),
    relay
  }
})
