import { Clock, Context, Duration, Effect, Layer, Random, type Scope } from "effect"
import type { ClaudeError } from "../../claude/ClaudeError.ts"
import { type Reply, type Whole, Wire, type WireService } from "../../claude/Wire.ts"
import { Bill, type BillEntry, type BillTotal } from "./Bill.ts"
import { Diagnoses } from "./Diagnoses.ts"
import { errorReply } from "./Errors.ts"
import type { Fault } from "./Faults.ts"
import { Limits } from "./Limits.ts"
import { countCall, messagesCall } from "./MessagesCall.ts"
import { modelReply } from "./ModelsCall.ts"
import { PromptCache } from "./PromptCache.ts"
import { relayTo } from "./Relay.ts"
import type { Answer } from "./Responder.ts"
import { keyOf, type SimulatedCall, type SimulatorOptions, type State } from "./State.ts"
import { loadTokenizer } from "./Tokenizer.ts"

export type { SimulatedCall, SimulatorOptions } from "./State.ts"

export interface SimulatorService {
  /** One call, as HTTP would carry it. Closing the scope is the client going away. */
  readonly call: (call: SimulatedCall) => Effect.Effect<Reply, ClaudeError, Scope.Scope>
  /** `GET /v1/models`, or one of them. */
  readonly models: (id?: string) => Whole
  /** The next requests to `/v1/messages` meet this fault, `times` times (once by default); faults queue up. */
  readonly inject: (fault: Fault, times?: number) => Effect.Effect<void>
  /** The next answers, in order, before `rule` is asked. */
  readonly script: (...answers: ReadonlyArray<Answer>) => Effect.Effect<void>
  /** What upstream charges, exactly: totals, and the latest single requests. */
  readonly bill: Effect.Effect<{ readonly total: BillTotal; readonly entries: ReadonlyArray<BillEntry> }>
}

const makeState = Effect.fnUntraced(function* (options: SimulatorOptions): Effect.fn.Return<State> {
  if (options.preload !== false) yield* loadTokenizer
  const started = yield* Clock.currentTimeMillis
  const salt = yield* Random.nextIntBetween(0, 36 ** 4)
  const prefix = started.toString(36) + salt.toString(36).padStart(4, "0")
  let count = 0
  return {
    options,
    bill: new Bill(options.maxBillEntries ?? 100_000),
    limits: new Limits(options.limits ?? {}),
    cache: new PromptCache(100_000),
    diagnoses: new Diagnoses(),
    faults: [],
    answers: [],
    id: (kind) => `${kind}_sim${prefix}${(count++).toString(36).padStart(6, "0")}`
  }
})

const make = Effect.fnUntraced(function* (options: SimulatorOptions): Effect.fn.Return<SimulatorService> {
  const state = yield* makeState(options)
  const call = (simulated: SimulatedCall): Effect.Effect<Reply, ClaudeError, Scope.Scope> =>
    Effect.suspend(() => {
      if (options.requireKey === true && keyOf(simulated) === undefined) {
        return Effect.succeed<Reply>(errorReply(401, "x-api-key header is required", state.id("req")))
      }
      return simulated.path === "/v1/messages" ? messagesCall(state, simulated) : countCall(state, simulated)
    })
  return {
    call,
    models: (id) => modelReply(id, state.id("req")),
    inject: (fault, times = 1) =>
      Effect.sync(() => void state.faults.push(...Array.from({ length: times }, () => fault))),
    script: (...answers) => Effect.sync(() => void state.answers.push(...answers)),
    bill: Effect.sync(() => ({ total: state.bill.total, entries: state.bill.entries }))
  }
})

/** The simulator as a wire, in process. */
const inProcess = (simulator: SimulatorService, idle: Duration.Duration): WireService => ({
  kind: "simulator",
  call: (call) => simulator.call({ ...call, idleMillis: Duration.toMillis(idle) }),
  relay: relayTo(simulator)
})

/**
 * The Anthropic API without Anthropic: Messages (JSON and events), count_tokens and models, with usage, prompt caching,
 * tool use, latency, limits and faults. Never contacts anything; all its time is the `Clock`'s.
 *
 * `layer` offers it to tests, and as the `Wire` of `Claude.layerSimulated`. The server of `sluice simulate` puts the
 * same thing on a socket.
 */
export class Simulator extends Context.Service<Simulator, SimulatorService>()("sluice/testing/Simulator") {
  static readonly layerWith = (options: SimulatorOptions): Layer.Layer<Simulator | Wire> =>
    Layer.effectContext(
      Effect.map(make(options), (simulator) =>
        Context.make(Simulator, simulator).pipe(
          Context.add(Wire, inProcess(simulator, Duration.fromInputUnsafe(options.idle ?? "4 minutes")))
        )
      )
    )

  static readonly layer: Layer.Layer<Simulator | Wire> = Simulator.layerWith({})
}
