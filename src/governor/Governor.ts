import { Context, Effect, Layer, type Scope } from "effect"
import { PrefixGate } from "../cache/PrefixGate.ts"
import { Claude } from "../claude/Claude.ts"
import type { Caller } from "../domain/Caller.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { Events } from "../events/Events.ts"
import { makeAccounts } from "./Accounts.ts"
import { makeAnswers } from "./Answers.ts"
import type { Base } from "./Base.ts"
import { makeDegraded } from "./Degraded.ts"
import type { GovernedAnswer, GovernedStream, GovernorError, RunOptions } from "./Governed.ts"
import { makeReception, type Received, type Reception } from "./Reception.ts"
import { makeStreams } from "./Streams.ts"

export type { GovernedAnswer, GovernedStream, GovernorError, RunOptions, Settlement } from "./Governed.ts"

/** Serves a request, and serves it again with another model while upstream has no room and the caller allows it. */
const makeDiverting =
  (reception: Reception) =>
  <A, R>(serve: (received: Received) => Effect.Effect<A, GovernorError, R>) => {
    const diverted = (received: Received): Effect.Effect<A, GovernorError, R> =>
      received.job.caller.allowFallback === true
        ? Effect.catch(serve(received), (error) =>
            Effect.flatMap(reception.divert(received.job, error), (next) =>
              next === undefined ? Effect.fail(error) : diverted(next)
            )
          )
        : serve(received)
    return diverted
  }

/** One governed request, start to end: route, cache, budget, limiter, upstream, settlement, events. */
export class Governor extends Context.Service<
  Governor,
  {
    readonly run: (
      request: MessagesRequest,
      caller: Caller,
      options?: RunOptions
    ) => Effect.Effect<GovernedAnswer, GovernorError>
    readonly stream: (
      request: MessagesRequest,
      caller: Caller,
      options?: RunOptions
    ) => Effect.Effect<GovernedStream, GovernorError, Scope.Scope>
  }
>()("sluice/governor/Governor") {
  /**
   * Requests that upstream may be billing are followed to their settlement in the layer's scope, whoever asked has left
   * or not; closing it settles what is open from what was received.
   */
  static readonly layerNoDeps = Layer.effect(
    Governor,
    Effect.gen(function* () {
      const degraded = makeDegraded(yield* Events)
      const accounts = yield* makeAccounts(degraded)
      const reception = yield* makeReception(degraded, accounts)
      const home = yield* Effect.scope
      const aloft = new Set<Effect.Effect<void>>()
      yield* Effect.addFinalizer(() => Effect.forEach([...aloft], (leave) => leave, { discard: true }))
      const base: Base = { degraded, accounts, reception, claude: yield* Claude, home, aloft }
      const answers = yield* makeAnswers(base)
      const streams = yield* makeStreams(base)
      const diverting = makeDiverting(reception)
      const whole = Effect.fnUntraced(function* ({ hit, job }: Received) {
        return hit ?? (yield* streams.joined(job)) ?? (yield* answers.fetch(job))
      })
      const streamed = Effect.fnUntraced(function* ({ hit, job }: Received) {
        if (hit !== undefined) return streams.replayed(job, hit)
        if (answers.inFlight(job)) return streams.replayed(job, yield* answers.fetch(job))
        return yield* streams.open(job)
      })
      return Governor.of({
        run: (request, caller, options = {}) =>
          Effect.flatMap(reception.receive(request, caller, options), diverting(whole)),
        stream: (request, caller, options = {}) =>
          Effect.flatMap(reception.receive(request, caller, options), diverting(streamed))
      })
    })
  )

  /** With a prefix gate, as Settings say. */
  static readonly layer = Governor.layerNoDeps.pipe(Layer.provide(PrefixGate.layerSettings))
}
