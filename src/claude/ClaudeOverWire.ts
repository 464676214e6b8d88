import { Clock, Effect, type Scope } from "effect"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import type { ClaudeError } from "./ClaudeError.ts"
import type { CallOptions, ClaudeAnswer, ClaudeService, ClaudeStream, CountTokensRequest } from "./ClaudeService.ts"
import { guardEvents, otherwise } from "./EventGuard.ts"
import { refusal } from "./Refusal.ts"
import type { Reply, WireCall, WireService } from "./Wire.ts"

const minute = 60_000

/** What upstream may take for a whole answer: 128,000 tokens an hour, never less than ten minutes. */
const wholeAnswerMillis = (request: MessagesRequest): number =>
  Math.max(10 * minute, Math.ceil((60 * minute * request.max_tokens) / 128_000))

const headersMillis = 10 * minute

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

const isMessage = (u: unknown): u is AssistantMessage =>
  isObject(u) && "content" in u && Array.isArray(u.content) && "usage" in u && isObject(u.usage)

const hasTokens = (u: unknown): u is { readonly input_tokens: number } =>
  isObject(u) && "input_tokens" in u && typeof u.input_tokens === "number"

const withoutStream = ({ stream: _, ...rest }: MessagesRequest): Readonly<Record<string, unknown>> => rest

const answered = (reply: Reply, options: CallOptions | undefined): Effect.Effect<void> =>
  options?.onAttempt === undefined
    ? Effect.void
    : options.onAttempt({ _tag: "Answered", attempt: 1, status: reply.status, headers: reply.headers })

const isOk = (reply: Reply): boolean => reply.status >= 200 && reply.status < 300

/** Fails with what a refusing reply means. */
const refuse = (reply: Reply): Effect.Effect<never, ClaudeError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.fail(refusal({ ...reply, body: reply._tag === "Whole" ? reply.body : null }, now))
  )

/** One attempt: told to whoever listens, and failed when upstream refused. */
const carry = (wire: WireService) =>
  Effect.fnUntraced(function* (
    request: Omit<WireCall, "headers" | "apiKey" | "forward">,
    options: CallOptions | undefined
  ): Effect.fn.Return<Reply, ClaudeError, Scope.Scope> {
    const reply = yield* wire.call({
      ...request,
      headers: options?.headers ?? {},
      apiKey: options?.apiKey,
      forward: options?.forward
    })
    yield* answered(reply, options)
    return isOk(reply) ? reply : yield* refuse(reply)
  })

/** Makes `Claude` out of a wire: the one place where replies become answers, streams and errors. */
export const overWire = (wire: WireService): ClaudeService => {
  const call = carry(wire)

  const send = Effect.fnUntraced(function* (
    request: MessagesRequest,
    options?: CallOptions
  ): Effect.fn.Return<ClaudeAnswer, ClaudeError, Scope.Scope> {
    const body = request.stream === undefined ? request : withoutStream(request)
    const reply = yield* call({ path: "/v1/messages", body, answerMillis: wholeAnswerMillis(request) }, options)
    if (reply._tag !== "Whole" || !isMessage(reply.body)) {
      return yield* otherwise("the answer is not a message", reply._tag === "Whole" ? reply.body : null)
    }
    return { message: reply.body, status: reply.status, headers: reply.headers }
  }, Effect.scoped)

  const stream = Effect.fnUntraced(function* (
    request: MessagesRequest,
    options?: CallOptions
  ): Effect.fn.Return<ClaudeStream, ClaudeError, Scope.Scope> {
    const body = request.stream === true ? request : { ...request, stream: true }
    const reply = yield* call({ path: "/v1/messages", body, answerMillis: headersMillis }, options)
    if (reply._tag !== "Events") return yield* otherwise("the answer is not an event stream", reply.body)
    return { status: reply.status, headers: reply.headers, events: guardEvents(reply.events) }
  })

  const countTokens = Effect.fnUntraced(function* (
    request: CountTokensRequest,
    options?: CallOptions
  ): Effect.fn.Return<number, ClaudeError, Scope.Scope> {
    const reply = yield* call(
      { path: "/v1/messages/count_tokens", body: request, answerMillis: headersMillis },
      options
    )
    if (reply._tag !== "Whole" || !hasTokens(reply.body)) return yield* otherwise("the answer holds no input_tokens")
    return reply.body.input_tokens
  }, Effect.scoped)

  return { send, stream, countTokens, relay: wire.relay, kind: wire.kind }
}
