import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { CostTracker } from "../costs/CostTracker.ts"
import { Api } from "./Api.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "costs",
  Effect.fn(function* (handlers) {
    const costs = yield* CostTracker
    return handlers.handle("resume", () =>
      Effect.map(Effect.andThen(costs.resume("an administrator over HTTP"), costs.state), ({ paused }) => ({ paused }))
    )
  })
)
