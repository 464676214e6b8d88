import { Effect } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { Api } from "./Api.ts"

/** Scalar with its script inlined, so that it works offline; its fonts would come from elsewhere, so they stay off. */
const scalar = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } })

/** Scalar's script and styles are inline, so they must be allowed; nothing comes from, or goes, elsewhere. */
const contentSecurityPolicy = [
  "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const guarded = {
  "cache-control": "private, max-age=3600",
  "content-security-policy": contentSecurityPolicy,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}

/** The script is 3 MB of source: loaded at the first visit instead of at every start, and sent compressed. */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const page = yield* Effect.cached(Effect.scoped(HttpRouter.toHttpEffect(scalar)))
    const response = Effect.map(Effect.flatten(page), HttpServerResponse.setHeaders(guarded))
    yield* router.add("GET", "/docs", HttpMiddleware.compression({ algorithms: ["gzip"] })(response))
  })
)
