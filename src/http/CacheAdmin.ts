import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { Api } from "./Api.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "cache",
  Effect.fn(function* (handlers) {
    const cache = yield* ResponseCache
    return handlers.handle("clear", () => Effect.map(cache.clear, (cleared) => ({ cleared })))
  })
)
