import { Cause, Channel, type Duration, Effect, Exit, Fiber, Option, Pull, type Scope, Stream } from "effect"
import type { GovernedStream, Settlement } from "../../governor/Governor.ts"
import { bytesOf } from "./EventBytes.ts"
import { failureFrame, type GatewayError, refusal } from "./Failure.ts"

/** Bytes to write next, or the end. */
export type BytesPull = Effect.Effect<readonly [Uint8Array], Cause.Done>

export type Opening = Fiber.Fiber<GovernedStream, GatewayError>

export interface StreamOptions {
  /** How often a client that waits hears that it is not forgotten. */
  readonly aliveEvery: Duration.Input
  readonly requestId: string
  /** Where the stream is read; closing it abandons the stream. */
  readonly scope: Scope.Scope
  /** Told what the stream cost, once all of it is written. */
  readonly onSettled: ((settlement: Settlement) => void) | undefined
}

const alive = Buffer.from(": waiting for a turn\n\n")

const crash = refusal(500, "api_error", "Something unexpected went wrong. The gateway's log says more.")

const once = (last: Uint8Array): BytesPull => {
  let isOver = false
  return Effect.suspend(() => {
    if (isOver) return Cause.done()
    isOver = true
    return Effect.succeed([last] as const)
  })
}

/** What a failure leaves to be written: an `error` event, so that the client always sees a well-formed end. */
const lastWords = (cause: Cause.Cause<GatewayError>, requestId: string): Effect.Effect<Uint8Array> => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error !== undefined) return Effect.succeed(failureFrame(error, requestId))
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  return Effect.as(Effect.logError("A stream crashed", cause), failureFrame(crash, requestId))
}

const failing = (cause: Cause.Cause<GatewayError>, requestId: string): Effect.Effect<BytesPull> =>
  Effect.map(lastWords(cause, requestId), once)

/** An open stream as bytes, as they come. */
export const streamBytes = Effect.fnUntraced(function* (
  { events, settlement }: GovernedStream,
  { onSettled, requestId, scope }: StreamOptions
): Effect.fn.Return<BytesPull> {
  let next: BytesPull
  // Not Stream.toPull: that locks, and copies the whole context, at every pull; here is one reader.
  const pull = yield* Channel.toPullScoped(Stream.toChannel(events), scope)
  const settled = onSettled === undefined ? Effect.void : Effect.map(settlement, onSettled)
  const reading: BytesPull = Pull.matchEffect(pull, {
    onSuccess: (batch) => Effect.succeed([bytesOf(batch)] as const),
    onDone: (): BytesPull => Effect.andThen(settled, Cause.done()),
    onFailure: (cause): BytesPull =>
      Effect.flatMap(failing(cause, requestId), (rest) => {
        next = rest
        return rest
      })
  })
  next = reading
  return Effect.suspend(() => next)
})

/**
 * The bytes of a stream that is not open yet: comments until it is, an `error` event when it never will be. The first
 * comment comes at once: Node sends no head before there is something behind it.
 */
export const waitingBytes = (opening: Opening, options: StreamOptions): BytesPull => {
  let opened: BytesPull | undefined
  let isBegun = false
  const open = (exit: Exit.Exit<GovernedStream, GatewayError>): BytesPull =>
    Effect.flatMap(
      Exit.isSuccess(exit) ? streamBytes(exit.value, options) : failing(exit.cause, options.requestId),
      (pull) => {
        opened = pull
        return pull
      }
    )
  const waiting: BytesPull = Effect.flatMap(
    Effect.timeoutOption(Fiber.await(opening), options.aliveEvery),
    Option.match({ onNone: () => Effect.succeed([alive] as const), onSome: open })
  )
  return Effect.suspend(() => {
    if (isBegun) return opened ?? waiting
    isBegun = true
    return Effect.succeed([alive] as const)
  })
}
