import { Context, type Effect } from "effect"
import type { Caller } from "../domain/Caller.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Model } from "./ModelCatalog.ts"

/** Which model answers, and why (one sentence). */
export interface Route {
  readonly model: Model
  readonly reason: string
}

/** Chooses the model of a request. With routing off the requested model stays. */
export class ModelRouter extends Context.Service<
  ModelRouter,
  { readonly route: (request: MessagesRequest, caller: Caller) => Effect.Effect<Route> }
>()("sluice/models/ModelRouter") {}
