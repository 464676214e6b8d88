import { Cause, Effect, Schema, type Scope, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { nanoUsd } from "../domain/Money.ts"
import * as Usage from "../domain/Usage.ts"
import type { Settlement } from "../governor/Governor.ts"
import type { OrchestratorError, TurnEvent } from "../orchestrator/Orchestrator.ts"
import { money } from "./ApiSchemas.ts"
import type { TurnSse } from "./ApiTurn.ts"
import { InternalProblem, TurnProblem } from "./Problem.ts"
import { translate, turnProblem } from "./toProblem.ts"

const encodeProblem = Schema.encodeSync(TurnProblem)

const settled = ({ costNanoUsd, savedNanoUsd, ...rest }: Settlement) => ({
  ...rest,
  cost: money(costNanoUsd),
  saved: money(savedNanoUsd)
})

const total = (settlements: ReadonlyArray<Settlement>, of: (s: Settlement) => number) =>
  money(nanoUsd(settlements.reduce((sum, s) => sum + of(s), 0)))

const toSse = (event: TurnEvent): TurnSse => {
  switch (event._tag) {
    case "TextDelta":
      return { event: "text_delta", data: { text: event.text } }
    case "ToolCall":
      return { event: "tool_call", data: { id: event.id, name: event.name, input: event.input } }
    case "ToolResult":
      return { event: "tool_result", data: { id: event.id, isError: event.isError, content: event.content } }
    case "Done":
      return {
        event: "message",
        data: {
          message: event.message,
          usage: event.settlements.reduce((sum, s) => Usage.add(sum, s.usage), Usage.zero),
          cost: total(event.settlements, (s) => s.costNanoUsd),
          saved: total(event.settlements, (s) => s.savedNanoUsd),
          requests: event.settlements.map(settled),
          context: event.context
        }
      }
  }
}

/** Every event carries its name, also `message`, which the standard would let us leave out: hand-written readers need it. */
const render = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const renderEvent = (event: TurnEvent): string => {
  const sse = toSse(event)
  return render(sse.event, sse.data)
}

const renderFailure = (problem: TurnProblem): string => render("error", encodeProblem(problem))

const crashed = (cause: Cause.Cause<unknown>) =>
  Effect.as(
    Effect.logError("A turn crashed", cause),
    renderFailure(new InternalProblem({ detail: "Something unexpected went wrong. The server's log says more." }))
  )

/**
 * The turn as server-sent events. Waits for the first event, so that whatever fails before it still fails as an HTTP
 * status; later failures become an `error` event. The turn belongs to the scope: closing it interrupts the turn.
 */
export const respond = Effect.fnUntraced(function* (
  turn: Stream.Stream<TurnEvent, OrchestratorError>
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, TurnProblem, Scope.Scope> {
  const pull = yield* Stream.toPull(turn)
  const first = yield* translate(turnProblem)(
    Effect.catchIf(pull, Cause.isDone, () => Effect.die(new Error("The turn ended without any event")))
  )
  const body = Stream.fromArray(first).pipe(
    Stream.concat(Stream.fromPull(Effect.succeed(pull))),
    Stream.map(renderEvent),
    Stream.catch((error) =>
      Stream.fromEffect(
        Effect.fail(error).pipe(
          translate(turnProblem),
          Effect.catch((problem) => Effect.succeed(renderFailure(problem)))
        )
      )
    ),
    Stream.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Stream.failCause(cause) : Stream.fromEffect(crashed(cause))
    ),
    Stream.encodeText
  )
  return HttpServerResponse.stream(body, {
    contentType: "text/event-stream; charset=utf-8",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
})
