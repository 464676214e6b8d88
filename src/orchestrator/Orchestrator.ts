import { type Cause, Context, Effect, Layer, Option, Queue, RcMap, Semaphore, Stream } from "effect"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { MessageSearch } from "../chat/MessageSearch.ts"
import { ContextManager, type Shell } from "../context/ContextManager.ts"
import { CostTracker } from "../costs/CostTracker.ts"
import type { Content } from "../domain/Message.ts"
import { Events } from "../events/Events.ts"
import { Governor } from "../governor/Governor.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { listAgents, reportCost } from "./builtins.ts"
import { recallHistory } from "./recall.ts"
import { makeTurns } from "./Turn.ts"
import type { OrchestratorError, SendOptions, TurnEvent } from "./TurnEvent.ts"
import { validate } from "./validate.ts"

export {
  InvalidMessage,
  type OrchestratorError,
  type SendOptions,
  type Tool,
  type ToolContext,
  TooManyToolRounds,
  type TurnEvent
} from "./TurnEvent.ts"

/** Events a slow listener may be behind before the turn waits for it. */
const eventsAhead = 16

/** One conversation turn: store, prepare, ask, run tools, store. One turn at a time per conversation. */
export class Orchestrator extends Context.Service<
  Orchestrator,
  {
    /**
     * Takes a user message and runs its turn while the stream is read; ending the stream early interrupts the turn and
     * leaves a history that can be continued. Turns of one conversation wait for each other. What cannot be taken fails
     * with `InvalidMessage` or `ConversationNotFound`, and nothing is stored.
     */
    readonly send: (
      conversation: string,
      content: Content,
      options?: SendOptions
    ) => Stream.Stream<TurnEvent, OrchestratorError>
    /** What surrounds the messages of a turn on this model when its caller brings no system prompt and no tools. */
    readonly shell: (model: string) => Shell
  }
>()("sluice/orchestrator/Orchestrator") {
  static readonly layer = Layer.effect(
    Orchestrator,
    Effect.gen(function* () {
      const settings = yield* Settings
      const repo = yield* ChatRepo
      const catalog = yield* ModelCatalog
      const estimator = yield* TokenEstimator
      const search = yield* Effect.serviceOption(MessageSearch)
      const builtins = [
        reportCost(yield* CostTracker),
        listAgents(repo),
        ...Option.toArray(Option.map(search, recallHistory))
      ]
      const turns = makeTurns({
        repo,
        estimator,
        context: yield* ContextManager,
        governor: yield* Governor,
        events: yield* Events,
        builtins,
        agentTools: new Set(settings.agentTools),
        maxContextTokens: settings.maxContextTokens
      })
      const locks = yield* RcMap.make({ lookup: (_: string) => Semaphore.make(1) })

      const turn = Effect.fn("Orchestrator.send")(function* (
        queue: Queue.Queue<TurnEvent, OrchestratorError | Cause.Done>,
        id: string,
        content: Content,
        options: SendOptions
      ) {
        const conversation = yield* repo.get(id)
        const modelId = options.model ?? conversation.model ?? settings.orchestratorModel
        const model = catalog.get(modelId)
        yield* validate(content, model, estimator)
        const lock = yield* RcMap.get(locks, id)
        const emit = (event: TurnEvent) => Queue.offer(queue, event)
        yield* lock.withPermit(turns.run({ conversation, modelId, model, content, options, emit }))
        yield* Queue.end(queue)
      }, Effect.scoped)

      return Orchestrator.of({
        send: (conversation, content, options = {}) =>
          Stream.callback<TurnEvent, OrchestratorError>((queue) => turn(queue, conversation, content, options), {
            bufferSize: eventsAhead
          }),
        shell: (name) => {
          const model = catalog.get(name)
          return { model: model.estimated ? name : model.id, tools: builtins.map(({ definition }) => definition) }
        }
      })
    })
  )
}
