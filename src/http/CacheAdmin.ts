import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { defaultCaller } from "../domain/Caller.ts"
import { isMessagesRequest } from "../domain/MessagesRequest.ts"
import { Governor } from "../governor/Governor.ts"
import { Api } from "./Api.ts"
import type { Wish } from "./ApiCache.ts"
import { serverScope } from "./gateway/Credentials.ts"

const concurrency = 4

const makeWarm = (governor: Governor["Service"]) =>
  Effect.fnUntraced(function* ({ asker = "gateway", betas, request, tenant = defaultCaller.tenant }: Wish) {
    if (!isMessagesRequest(request)) return "It is no body of the Messages API."
    const caller = { ...defaultCaller, tenant, agent: "cache-warm", priority: "background" as const }
    const options = {
      cacheScope: asker === "gateway" ? serverScope("2023-06-01") : undefined,
      headers: betas === undefined ? undefined : { "anthropic-beta": betas }
    }
    const { stream: _stream, ...whole } = request
    return yield* governor.run(whole, caller, options).pipe(
      Effect.map(({ settlement }) => (settlement.cache === "hit" ? ("known" as const) : ("asked" as const))),
      Effect.catch((error) => Effect.succeed(error.message))
    )
  })

export const layer = HttpApiBuilder.group(
  Api,
  "cache",
  Effect.fn(function* (handlers) {
    const cache = yield* ResponseCache
    const warm = makeWarm(yield* Governor)
    return handlers.handleAll({
      clear: () => Effect.map(cache.clear, (cleared) => ({ cleared })),
      warm: ({ payload: { requests } }) =>
        Effect.map(Effect.forEach(requests, warm, { concurrency }), (told) => ({
          known: told.filter((word) => word === "known").length,
          asked: told.filter((word) => word === "asked").length,
          failed: told.flatMap((detail, index) => (detail === "known" || detail === "asked" ? [] : [{ index, detail }]))
        }))
    })
  })
)
