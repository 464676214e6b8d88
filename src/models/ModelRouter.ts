import { Context, Effect, Layer } from "effect"
import type { Caller, Task } from "../domain/Caller.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { Settings } from "../Settings.ts"
import { type Model, ModelCatalog } from "./ModelCatalog.ts"

/** Which model answers, and why (one sentence). */
export interface Route {
  readonly model: Model
  /** What to send upstream as `model`: the request's own string while the model stays, the new model's id otherwise. */
  readonly id: string
  readonly reason: string
}

const stay = (model: Model, request: MessagesRequest, reason: string): Route => ({ model, id: request.model, reason })

const byTask = Effect.gen(function* () {
  const catalog = yield* ModelCatalog
  const { orchestratorModel, summaryModel } = yield* Settings
  const chosen: Record<Task, string> = {
    summary: summaryModel,
    classification: "haiku",
    simple: "haiku",
    main: orchestratorModel,
    complex: "opus"
  }
  const route = Effect.fnUntraced(function* (request: MessagesRequest, { task }: Caller) {
    const asked = yield* catalog.resolve(request.model)
    if (task === undefined) return stay(asked, request, "No task was declared.")
    const better = yield* catalog.resolve(chosen[task])
    if (better.family === asked.family) return stay(asked, request, `Task ${task} is for ${better.family} already.`)
    if (request.max_tokens > better.maxOutput) {
      const limit = `${better.id}, which cannot write ${request.max_tokens} tokens`
      return stay(asked, request, `Task ${task} would go to ${limit}.`)
    }
    return { model: better, id: better.id, reason: `Task ${task} goes to ${better.family}: ${better.id}.` }
  })
  return ModelRouter.of({ route })
})

/** Chooses the model of a request. With routing off the requested model stays. */
export class ModelRouter extends Context.Service<
  ModelRouter,
  { readonly route: (request: MessagesRequest, caller: Caller) => Effect.Effect<Route> }
>()("sluice/models/ModelRouter") {
  /** The requested model stays, whatever the settings say. */
  static readonly layerOff = Layer.effect(
    this,
    Effect.gen(function* () {
      const catalog = yield* ModelCatalog
      return ModelRouter.of({
        route: (request) =>
          Effect.map(catalog.resolve(request.model), (model) => stay(model, request, "Routing is off."))
      })
    })
  )

  /**
   * Obeys `Settings.modelRouting`. When on, `caller.task` decides: summaries go to SUMMARY_MODEL, classifications and
   * simple questions to Haiku, main logic to ORCHESTRATOR_MODEL, complex work to Opus. A request without a task, already
   * in the right family, or too long for the better model keeps its own.
   */
  static readonly layer = Layer.unwrap(
    Effect.map(Settings, ({ modelRouting }) =>
      modelRouting ? Layer.effect(ModelRouter, byTask) : ModelRouter.layerOff
    )
  )
}
