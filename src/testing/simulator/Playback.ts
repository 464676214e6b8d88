import { Effect, Stream } from "effect"
import { ClaudeError, StreamBroken, TimedOut } from "../../claude/ClaudeError.ts"
import type { StreamEvent } from "../../domain/MessagesRequest.ts"
import { errorBody } from "./Errors.ts"
import type { Step } from "./EventScript.ts"
import type { Fault } from "./Faults.ts"

/** What a running answer tells the books. */
export interface Meter {
  /** So many output tokens were generated. */
  readonly generated: (tokens: number) => Effect.Effect<void>
  /** Everything was handed over. */
  readonly completed: Effect.Effect<void>
}

export interface PlaybackOptions {
  readonly steps: ReadonlyArray<Step>
  readonly millisPerToken: number
  readonly fault: Fault | undefined
  readonly requestId: string
  readonly idleMillis: number
  readonly meter: Meter
}

/** Sleeps, if there is anything to sleep: a timer of zero still costs a turn of the event loop. */
export const pause = (millis: number): Effect.Effect<void> => (millis > 0 ? Effect.sleep(millis) : Effect.void)

/** Nothing happens until the caller gives up. */
export const silence = (millis: number): Effect.Effect<never, ClaudeError> =>
  Number.isFinite(millis)
    ? Effect.andThen(
        Effect.sleep(millis),
        Effect.fail(new ClaudeError({ reason: new TimedOut({ afterMillis: Math.ceil(millis) }) }))
      )
    : Effect.never

type Events = Stream.Stream<StreamEvent, ClaudeError>

const reset = new ClaudeError({ reason: new StreamBroken({ detail: "the connection was reset", body: null }) })

/** After the events that still come, what the fault does; nothing for a fault that is not about streams. */
const ending = ({ fault, idleMillis, requestId }: PlaybackOptions): Events => {
  if (fault?._tag === "Cut") return Stream.fail(reset)
  if (fault?._tag === "Stall") return Stream.fromEffect(silence(idleMillis))
  if (fault?._tag !== "ErrorEvent") return Stream.empty
  const body = errorBody(200, "Overloaded", requestId, { type: fault.type })
  return Stream.make({ ...body, type: "error" })
}

/** The answer is complete once its last event is handed over. */
const handOver = ({ fault, meter, steps }: PlaybackOptions, until: number): Effect.Effect<void> =>
  until >= steps.length && fault?._tag !== "Cut" ? meter.completed : Effect.void

const paced = (options: PlaybackOptions, count: number): Events =>
  Stream.fromIterable(options.steps.slice(0, count)).pipe(
    Stream.rechunk(1),
    Stream.zipWithIndex,
    Stream.mapEffect(([{ event, tokens }, index]) =>
      pause(tokens * options.millisPerToken).pipe(
        Effect.andThen(options.meter.generated(tokens)),
        Effect.andThen(handOver(options, index + 1)),
        Effect.as(event)
      )
    )
  )

/** All at once: a reader of the first event has all of them, so they are generated then. */
const immediate = (options: PlaybackOptions, count: number): Events => {
  const part = options.steps.slice(0, count)
  const tokens = part.reduce((sum, step) => sum + step.tokens, 0)
  const generated = Effect.andThen(options.meter.generated(tokens), handOver(options, count))
  const events = part.map((step) => step.event)
  return Stream.fromArrayEffect(Effect.as(generated, events))
}

/** Plays the steps at the speed of generation, with the fault if there is one, and keeps the meter running. */
export const play = (options: PlaybackOptions): Events => {
  const { fault, millisPerToken, steps } = options
  const count = fault !== undefined && "afterEvents" in fault ? fault.afterEvents : steps.length
  const events = millisPerToken > 0 ? paced(options, count) : immediate(options, count)
  return Stream.concat(events, ending(options))
}
