import { Effect, Exit, type ManagedRuntime, Redacted, Scope, Stream } from "effect"
import { type Caller, type CallerParts, callerWith } from "../domain/Caller.ts"
import { isMessagesRequest, type MessagesRequest, type StreamEvent } from "../domain/MessagesRequest.ts"
import { Governor, type GovernorError } from "../governor/Governor.ts"
import { anthropicFailure } from "./AnthropicError.ts"

type Fetch = typeof globalThis.fetch

/** A governed answer says nothing of the wire it came over. */
const ofTheWire = new Set(["content-length", "content-encoding", "transfer-encoding", "connection", "content-type"])

const carried = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ofTheWire.has(name)))

const jsonResponse = (status: number, headers: Readonly<Record<string, string>>, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { ...carried(headers), "content-type": "application/json" } })

const failed = (error: GovernorError): Response => {
  const { body, headers, status } = anthropicFailure(error)
  return jsonResponse(status, headers, body)
}

const render = (event: StreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const renderFailure = (error: GovernorError): string =>
  `event: error\ndata: ${JSON.stringify(anthropicFailure(error).body)}\n\n`

/** What upstream may need to see of the caller's headers. */
const forwarded = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("anthropic-")))

const keyOf = (headers: Headers): string | undefined =>
  headers.get("x-api-key") ?? /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1]

const optionsOf = (headers: Headers) => {
  const key = keyOf(headers)
  return { headers: forwarded(headers), apiKey: key === undefined ? undefined : Redacted.make(key) }
}

type Options = ReturnType<typeof optionsOf>

const answer = (request: MessagesRequest, caller: Caller, options: Options) =>
  Governor.use((governor) => governor.run(request, caller, options)).pipe(
    Effect.map(({ headers, message }) => jsonResponse(200, headers, message)),
    Effect.catch((error) => Effect.succeed(failed(error)))
  )

/** The scope of the governed stream lives as long as its body is read; giving the body up closes it. */
const stream = Effect.fnUntraced(function* (
  request: MessagesRequest,
  caller: Caller,
  options: Options,
  signal: AbortSignal
) {
  const scope = yield* Scope.make()
  const context = yield* Effect.context<Governor>()
  return yield* Governor.use((governor) => governor.stream(request, caller, options)).pipe(
    Scope.provide(scope),
    Effect.map(({ events, headers }) => {
      const body = events.pipe(
        Stream.map(render),
        Stream.catch((error) => Stream.succeed(renderFailure(error))),
        Stream.encodeText,
        Stream.onExit((exit) => Scope.close(scope, exit))
      )
      const readable = Stream.toReadableStreamWith(body, context, { signal })
      return new Response(readable, { headers: { ...carried(headers), "content-type": "text/event-stream" } })
    }),
    Effect.catch((error) => Effect.as(Scope.close(scope, Exit.void), failed(error))),
    Effect.onInterrupt(() => Scope.close(scope, Exit.void))
  )
})

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isMessages = (request: Request): boolean =>
  request.method === "POST" && new URL(request.url).pathname.endsWith("/v1/messages")

/**
 * A `fetch` for the Anthropic SDK: `POST …/v1/messages`, whole or streamed, goes through the Governor; everything else
 * goes to `otherwise`. The caller's own key and `anthropic-*` headers are handed on.
 */
export const governedFetch = <E>(
  runtime: ManagedRuntime.ManagedRuntime<Governor, E>,
  caller: CallerParts = {},
  otherwise: Fetch = globalThis.fetch
): Fetch => {
  const who = callerWith(caller)
  return async (input, init) => {
    const request = new Request(input, init)
    if (!isMessages(request)) return otherwise(request)
    const body = parse(await request.clone().text())
    if (!isMessagesRequest(body)) return otherwise(request)
    const { headers, signal } = request
    const options = optionsOf(headers)
    const response = body.stream === true ? stream(body, who, options, signal) : answer(body, who, options)
    return runtime.runPromise(response, { signal }).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error
    })
  }
}
