import { Effect } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { Api } from "./Api.ts"

/** Scalar with its script inlined, so that it works offline; its fonts would come from elsewhere, so they stay off. */
const scalar = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } })

/** The script is 3 MB of source: loaded at the first visit instead of at every start, and sent compressed. */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const page = yield* Effect.cached(Effect.scoped(HttpRouter.toHttpEffect(scalar)))
    const response = Effect.map(
      Effect.flatten(page),
      HttpServerResponse.setHeader("cache-control", "private, max-age=3600")
    )
    yield* router.add("GET", "/docs", HttpMiddleware.compression({ algorithms: ["gzip"] })(response))
  })
)
