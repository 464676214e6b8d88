import { Clock, Context, Effect, Layer } from "effect"
import type { Caller, Task } from "../domain/Caller.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Usage } from "../domain/Usage.ts"
import { Settings } from "../Settings.ts"
import { refusal } from "./Accepts.ts"
import { complexityOf } from "./Complexity.ts"
import { makeLadder } from "./Ladder.ts"
import { makeLastModels } from "./LastModel.ts"
import { type Model, ModelCatalog } from "./ModelCatalog.ts"

/** Which model answers, and why (one sentence). */
export interface Route {
  readonly model: Model
  /** What to send upstream as `model`: the request's own string while the model stays, the new model's id otherwise. */
  readonly id: string
  readonly reason: string
}

/** What the router cannot know by itself. */
export interface Situation {
  /** Percent of the daily budget that is spent or reserved; undefined without a budget. */
  readonly budgetPercent?: number | undefined
}

/** From here on a budget is under pressure, in percent. */
export const budgetPressure = 80

const stay = (model: Model, request: MessagesRequest, reason: string): Route => ({ model, id: request.model, reason })
const goTo = (model: Model, reason: string): Route => ({ model, id: model.id, reason })

/** What a request is for, and how that is known. */
interface Purpose {
  readonly task: Task
  readonly how: string
}

const guessed = (request: MessagesRequest): Purpose => {
  const { points, signs, task } = complexityOf(request)
  const found = signs.length === 0 ? "no sign of work" : signs.join(", ")
  return { task, how: `Task ${task} (guessed, ${points} points: ${found})` }
}

const make = Effect.gen(function* () {
  const catalog = yield* ModelCatalog
  const { modelRoutingComplexity, orchestratorModel, summaryModel } = yield* Settings
  const chosen: Record<Task, string> = {
    summary: summaryModel === "none" || summaryModel === "upstream" ? "haiku" : summaryModel,
    classification: "haiku",
    simple: "haiku",
    main: orchestratorModel,
    complex: "opus"
  }
  const ladder = makeLadder([chosen.complex, chosen.main, chosen.simple].map((id) => catalog.get(id)))
  const last = makeLastModels()

  const purposeOf = (request: MessagesRequest, { task }: Caller): Purpose | undefined => {
    if (task !== undefined) return { task, how: `Task ${task}` }
    return modelRoutingComplexity ? guessed(request) : undefined
  }

  const byTask = Effect.fnUntraced(function* (request: MessagesRequest, caller: Caller) {
    const asked = yield* catalog.resolve(request.model)
    const purpose = purposeOf(request, caller)
    if (purpose === undefined) return stay(asked, request, "No task was declared.")
    const { how, task } = purpose
    const better = yield* catalog.resolve(chosen[task])
    if (better.family === asked.family) return stay(asked, request, `${how} is for ${better.family} already.`)
    const cannot = refusal(better, request)
    if (cannot !== undefined) return stay(asked, request, `${how} would go to ${better.id}, which ${cannot}.`)
    return goTo(better, `${how} goes to ${better.family}: ${better.id}.`)
  })

  const underPressure = (route: Route, request: MessagesRequest, caller: Caller, percent: number): Route => {
    if (caller.allowCheaper !== true || percent < budgetPressure) return route
    const cheaper = ladder.below(route.model, request)
    const why = `${Math.floor(percent)} % of the daily budget is used`
    if (cheaper === undefined) return { ...route, reason: `${route.reason} ${why}, but no cheaper model can take it.` }
    return goTo(cheaper, `${route.reason} ${why}, and the caller allows a cheaper model: ${cheaper.id}.`)
  }

  /** Leaves upstream's prompt cache for a cheaper model only when that pays. */
  const weighed = (route: Route, request: MessagesRequest, caller: Caller, now: number): Route => {
    if (route.id === request.model) return route
    const held = last.dearToLeave(caller, route.model, now)
    if (held === undefined || refusal(held.model, request) !== undefined) return route
    const reason = `${route.reason} It stays with ${held.model.id}: ${held.why}`
    const isAsked = catalog.get(request.model).id === held.model.id
    return isAsked ? stay(held.model, request, reason) : goTo(held.model, reason)
  }

  return ModelRouter.of({
    route: Effect.fnUntraced(function* (request, caller, situation = {}) {
      const route = yield* byTask(request, caller)
      const now = yield* Clock.currentTimeMillis
      return weighed(underPressure(route, request, caller, situation.budgetPercent ?? 0), request, caller, now)
    }),
    instead: (request, caller, failed, why) =>
      Effect.sync(() => {
        const [model] = failed.slice(-1)
        if (caller.allowFallback !== true || model === undefined) return undefined
        const other = ladder.beside(model, request, new Set(failed.map(({ family }) => family)))
        return other && goTo(other, `${why} The caller allows another model: ${other.id} instead of ${model.id}.`)
      }),
    observe: (caller, model, usage, at) => last.learn(caller, model, usage, at)
  })
})

/** Chooses the model of a request. With routing off the requested model stays. */
export class ModelRouter extends Context.Service<
  ModelRouter,
  {
    readonly route: (request: MessagesRequest, caller: Caller, situation?: Situation) => Effect.Effect<Route>
    /**
     * Another model, after upstream had no room on the models `failed` (in order of trying; one family is tried once).
     * Undefined when the caller does not allow it or none is left. `why` is a sentence for the reason.
     */
    readonly instead: (
      request: MessagesRequest,
      caller: Caller,
      failed: ReadonlyArray<Model>,
      why: string
    ) => Effect.Effect<Route | undefined>
    /** To be told of every whole answer, with the moment it was sent (milliseconds since the epoch). Pure memory. */
    readonly observe: (caller: Caller, model: Model, usage: Usage, at: number) => void
  }
>()("sluice/models/ModelRouter") {
  /** The requested model stays, whatever the settings say. */
  static readonly layerOff = Layer.effect(
    this,
    Effect.gen(function* () {
      const catalog = yield* ModelCatalog
      return ModelRouter.of({
        route: (request) =>
          Effect.map(catalog.resolve(request.model), (model) => stay(model, request, "Routing is off.")),
        instead: () => Effect.undefined,
        observe: () => undefined
      })
    })
  )

  /**
   * Obeys `Settings.modelRouting`. When on:
   * - `caller.task` decides (or, with MODEL_ROUTING_COMPLEXITY, `complexityOf` for a request that declares none):
   *   summaries go to SUMMARY_MODEL, classifications and simple questions to Haiku, main logic to ORCHESTRATOR_MODEL,
   *   complex work to Opus. A request in the right family already, or that the better model could not take, keeps its own.
   * - From 80 % of the daily budget on, a caller with `allowCheaper` gets the next cheaper model.
   * - A conversation whose prompt upstream has cached for one model stays there unless the next request gets cheaper.
   */
  static readonly layer = Layer.unwrap(
    Effect.map(Settings, ({ modelRouting }) => (modelRouting ? Layer.effect(ModelRouter, make) : ModelRouter.layerOff))
  )
}
