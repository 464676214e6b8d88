import { HttpApi, OpenApi } from "effect/http-api"
import { version } from "../version.ts"
import { ApiCache } from "./ApiCache.ts"
import { ApiConversations } from "./ApiConversations.ts"
import { ApiCosts } from "./ApiCosts.ts"
import { ApiLive } from "./ApiLive.ts"
import { ApiMetrics } from "./ApiMetrics.ts"
import { ApiSystem } from "./ApiSystem.ts"
import { ApiTokens } from "./ApiTokens.ts"
import { Requests } from "./Requests.ts"

/** Every JSON route, declared apart from its handlers; /openapi.json, /docs and typed clients come from it. */
export class Api extends HttpApi.make("sluice")
  .add(ApiSystem)
  .add(ApiMetrics)
  .add(ApiLive)
  .add(ApiCache)
  .add(ApiCosts)
  .add(ApiConversations)
  .add(ApiTokens)
  .middleware(Requests)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sluice",
      version,
      description: "The token governor for LLM orchestrators that run on Claude."
    })
  ) {}
