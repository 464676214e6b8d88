import { Cause, Effect, Exit, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { Persistence } from "effect/persistence"
import { Tokens } from "./access/Tokens.ts"
import { ResponseCache } from "./cache/ResponseCache.ts"
import { ChatRepo, type NewConversation } from "./chat/ChatRepo.ts"
import { Database } from "./chat/Database.ts"
import { MessageSearch } from "./chat/MessageSearch.ts"
import { Claude } from "./claude/Claude.ts"
import { ContextManager } from "./context/ContextManager.ts"
import { StatelessContexts } from "./context/StatelessContexts.ts"
import { Summarizer } from "./context/Summarizer.ts"
import { CostTracker } from "./costs/CostTracker.ts"
import { type CallerParts, callerWith } from "./domain/Caller.ts"
import type { Conversation } from "./domain/Conversation.ts"
import type { Content } from "./domain/Message.ts"
import type { MessagesRequest } from "./domain/MessagesRequest.ts"
import { layerAlertLog } from "./events/AlertLog.ts"
import { AlertRules } from "./events/AlertRules.ts"
import { Events } from "./events/Events.ts"
import { layerWebhook } from "./events/Webhook.ts"
import { type GovernedAnswer, Governor, type RunOptions } from "./governor/Governor.ts"
import { governedFetch } from "./http/GovernedFetch.ts"
import { TokenRateLimiter } from "./limits/TokenRateLimiter.ts"
import { ModelCatalog } from "./models/ModelCatalog.ts"
import { ModelRouter } from "./models/ModelRouter.ts"
import { Monitor } from "./observability/Monitor.ts"
import { layerMetrics, Telemetry } from "./observability/Telemetry.ts"
import { layerGovernor } from "./observability/Traced.ts"
import { layerGovernedCompactor } from "./orchestrator/GovernedCompactor.ts"
import { layerGovernedWriter } from "./orchestrator/GovernedWriter.ts"
import { Orchestrator, type OrchestratorError, type SendOptions, type TurnEvent } from "./orchestrator/Orchestrator.ts"
import { Settings, type SettingsOverrides, type SettingsShape } from "./Settings.ts"
import { TokenEstimator } from "./tokens/TokenEstimator.ts"

/** A room whose switch is off gets the layer that lets everything through. */
const switched = <A, E1, R1, E2, R2>(
  isOn: (enabled: SettingsShape["enabled"]) => boolean,
  on: Layer.Layer<A, E1, R1>,
  off: Layer.Layer<A, E2, R2>
): Layer.Layer<A, E1 | E2, R1 | R2 | Settings> =>
  Layer.unwrap(Effect.map(Settings, ({ enabled }): Layer.Layer<A, E1 | E2, R1 | R2> => (isOn(enabled) ? on : off)))

/** A model writes only where a real one answers: the simulator only repeats lines. */
const writing = Layer.unwrap(
  Effect.gen(function* () {
    const { kind } = yield* Claude
    const { summaryModel } = yield* Settings
    if (summaryModel === "upstream") return Summarizer.layerUpstream.pipe(Layer.provide(layerGovernedCompactor))
    return kind === "simulator" || summaryModel === "none"
      ? Summarizer.layerExtractive
      : Summarizer.layerModel.pipe(Layer.provide(layerGovernedWriter))
  })
)

const summarizer = switched((enabled) => enabled.summarization, writing, Summarizer.layerOff)
const context = switched((enabled) => enabled.context, ContextManager.layer, ContextManager.layerOff)

/** The database as the cache's second tier: built once, and only where it is asked for. */
const persisted = ResponseCache.layerPersisted.pipe(Layer.provide(Persistence.layerBackingSql))
const cache = Layer.unwrap(
  Effect.map(Settings, ({ responseCachePersistent }) => (responseCachePersistent ? persisted : ResponseCache.layer))
)

const governing = Layer.mergeAll(ModelRouter.layer, cache, TokenRateLimiter.layer, CostTracker.layer)

const stateless = switched((enabled) => enabled.context, StatelessContexts.layer, StatelessContexts.layerOff)

const conversing = context.pipe(Layer.provideMerge(MessageSearch.layer))

/** Who listens: the rules that raise alerts, the log and the webhook that tell of them. */
const watching = Layer.mergeAll(AlertRules.layer, layerAlertLog, layerWebhook)

/** Every service over whatever upstream, database and settings are provided: to swap one, provide another. */
export const layerServices = Layer.merge(Orchestrator.layer, layerMetrics).pipe(
  Layer.provideMerge(Monitor.layer),
  Layer.provideMerge(Layer.merge(conversing, stateless)),
  Layer.provideMerge(summarizer),
  Layer.provideMerge(ChatRepo.layerNoDeps),
  Layer.provideMerge(layerGovernor),
  Layer.provideMerge(governing),
  Layer.provideMerge(Layer.merge(TokenEstimator.layer, Tokens.layer)),
  Layer.provideMerge(watching),
  Layer.provideMerge(Layer.mergeAll(ModelCatalog.layer, Events.layer, Telemetry.layer))
)

const upstream = Claude.layerRetrying.pipe(Layer.provide(Claude.layer))

/** Every service on the upstream and the database that Settings name. */
export const layerNoDeps = layerServices.pipe(Layer.provideMerge(Layer.merge(upstream, Database.layer)))

/** Everything, from the environment. */
export const layer = layerNoDeps.pipe(Layer.provideMerge(Settings.layer))

/** What `layer` provides. */
export type Services = Layer.Success<typeof layer>

/** Why `layer` may not come up; each message is one line that says what to do. */
export type StartError = Layer.Error<typeof layer>

/** One line at start when nothing real will be asked. */
export const announceUpstream = Effect.flatMap(Claude, ({ kind }) =>
  kind === "simulator"
    ? Effect.logWarning("ANTHROPIC_API_KEY is not set: the built-in simulator answers. Nothing is sent, nothing costs.")
    : Effect.void
)

const merged = ({ enabled, ...rest }: SettingsOverrides) =>
  Layer.effect(
    Settings,
    Effect.map(Settings, (settings) => ({ ...settings, ...rest, enabled: { ...settings.enabled, ...enabled } }))
  ).pipe(Layer.provide(Settings.layer))

/** Sluice inside a program that is not written with Effect. Services start with the first call. */
export interface Sluice extends AsyncDisposable {
  /** Runs any Effect over all of Sluice's services. After a start that failed it is another one. */
  readonly runtime: ManagedRuntime.ManagedRuntime<Services, StartError>
  /** For `new Anthropic({ fetch })`: messages, whole or streamed, are governed; everything else passes through. */
  readonly fetch: typeof globalThis.fetch
  /** `fetch` for another tenant, agent or priority. */
  readonly fetchAs: (caller: CallerParts) => typeof globalThis.fetch
  /** One governed request. Rejects with a `GovernorError`. */
  readonly run: (request: MessagesRequest, caller?: CallerParts, options?: RunOptions) => Promise<GovernedAnswer>
  readonly createConversation: (conversation?: NewConversation) => Promise<Conversation>
  /** One conversation turn, tools included. Leaving the loop early interrupts it. Throws an `OrchestratorError`. */
  readonly send: (conversation: string, content: Content, options?: SendOptions) => AsyncIterable<TurnEvent>
  /** Settles what is open and closes the database. */
  readonly dispose: () => Promise<void>
}

type Runtime = ManagedRuntime.ManagedRuntime<Services, StartError>

/** A runtime that is made anew after a start that failed: the database may be there the next time. */
const restarting = (layer: Layer.Layer<Services, StartError>) => {
  let runtime: Runtime = ManagedRuntime.make(layer)
  let disposed = false
  const started = async (): Promise<Runtime> => {
    if (disposed) throw new Error("This Sluice was disposed of. Make another with makeSluice().")
    const mine = runtime
    try {
      await mine.context()
      return mine
    } catch (error) {
      if (mine === runtime && !disposed) runtime = ManagedRuntime.make(layer)
      await mine.dispose()
      throw error
    }
  }
  const dispose = () => {
    disposed = true
    return runtime.dispose()
  }
  return { current: () => runtime, started, dispose }
}

/** Runs a turn while it is read. Disposing ends it, and waits until it is stored how far it came. */
async function* read(runtime: Runtime, turn: Stream.Stream<TurnEvent, OrchestratorError, Services>) {
  const scope = Scope.forkUnsafe(runtime.scope)
  try {
    const pull = await runtime.runPromise(Scope.provide(Stream.toPull(turn), scope))
    const next = Effect.catchIf(pull, Cause.isDone, () => Effect.succeed<ReadonlyArray<TurnEvent>>([]))
    for (let told = await runtime.runPromise(next); told.length > 0; told = await runtime.runPromise(next)) yield* told
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/**
 * Settings come from the environment, `overrides` on top. Nothing starts before the first call; call `dispose` at the
 * end, or declare it with `await using`.
 */
export const makeSluice = (overrides: SettingsOverrides = {}): Sluice => {
  const services = layerNoDeps.pipe(Layer.provideMerge(merged(overrides)))
  const { current, dispose, started } = restarting(
    Layer.effectDiscard(announceUpstream).pipe(Layer.provideMerge(services))
  )
  const run = async <A, E>(effect: Effect.Effect<A, E, Services>): Promise<A> => (await started()).runPromise(effect)
  const fetchAs = (caller: CallerParts): typeof globalThis.fetch => {
    return async (input, init) => governedFetch(await started(), caller)(input, init)
  }
  return {
    get runtime() {
      return current()
    },
    fetch: fetchAs({}),
    fetchAs,
    run: (request, caller = {}, options) =>
      run(Governor.use((governor) => governor.run(request, callerWith(caller), options))),
    createConversation: (conversation = {}) => run(ChatRepo.use((chat) => chat.create(conversation))),
    send: async function* (conversation, content, options) {
      const turn = Effect.map(Orchestrator, ({ send }) => send(conversation, content, options))
      yield* read(await started(), Stream.unwrap(turn))
    },
    dispose,
    [Symbol.asyncDispose]: dispose
  }
}
