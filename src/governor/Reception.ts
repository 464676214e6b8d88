import { Effect, Option } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import type { ClaudeError } from "../claude/ClaudeError.ts"
import type { Caller } from "../domain/Caller.ts"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { type RefusalKind, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { ModelRouter, type Route } from "../models/ModelRouter.ts"
import { Settings } from "../Settings.ts"
import type { Accounts } from "./Accounts.ts"
import type { Degraded } from "./Degraded.ts"
import type { GovernedAnswer, GovernorError, RunOptions } from "./Governed.ts"
import { accountOf, type Job, scopeOf } from "./Job.ts"
import { noRoom } from "./noRoom.ts"
import { makePressure } from "./Pressure.ts"
import { makeRequestIds } from "./requestIds.ts"

/** What comes before and after the upstream call: naming, routing, cache, and what headers teach the limiter. */
export interface Reception {
  /** Routes and names the request; answers it at once when the cache can. */
  readonly receive: (request: MessagesRequest, caller: Caller, options: RunOptions) => Effect.Effect<Received>
  /** The same request for another model, when upstream had no room on this one and the caller allows it. */
  readonly divert: (job: Job, error: GovernorError) => Effect.Effect<Received | undefined>
  readonly observe: (
    job: Job,
    status: number,
    headers: Readonly<Record<string, string>>,
    kind?: RefusalKind
  ) => Effect.Effect<void>
  readonly observeFailure: (job: Job, error: ClaudeError | undefined) => Effect.Effect<void>
  readonly store: (job: Job, message: AssistantMessage) => Effect.Effect<void>
}

export interface Received {
  readonly job: Job
  readonly hit: GovernedAnswer | undefined
}

const betasOf = ({ headers }: RunOptions): ReadonlyArray<string> => {
  const betas = headers?.["anthropic-beta"]
  return betas === undefined ? [] : betas.split(",").map((beta) => beta.trim())
}

/** A compaction is signed for the conversation that asked for it. */
const isCompacting = ({ compaction }: MessagesRequest): boolean => compaction !== undefined && compaction !== null

/** What else must be equal for two requests to share an answer. */
const shareOf = (options: RunOptions): ReadonlyArray<string> => {
  const scope = scopeOf(options)
  return scope === undefined ? betasOf(options) : [...betasOf(options), `scope ${scope}`]
}

export const makeReception = Effect.fnUntraced(function* (degraded: Degraded, accounts: Accounts) {
  const { enabled, tokenManagementEnabled } = yield* Settings
  const router = yield* ModelRouter
  const catalog = yield* ModelCatalog
  const cache = yield* ResponseCache
  const limiter = yield* TokenRateLimiter
  const nextId = yield* makeRequestIds
  const pressure = yield* makePressure(degraded)

  const stay = (request: MessagesRequest) => ({ model: catalog.get(request.model), id: request.model, reason: "" })

  const route = (request: MessagesRequest, caller: Caller) =>
    tokenManagementEnabled
      ? degraded.guard(
          "model router",
          () => Effect.flatMap(pressure(caller), (situation) => router.route(request, caller, situation)),
          undefined
        )
      : Effect.map(catalog.resolve(request.model), (model) => ({ ...stay(request), model }))

  const keyOf = (request: MessagesRequest, caller: Caller, options: RunOptions) =>
    enabled.responseCache && options.cache !== "off" && !isCompacting(request)
      ? degraded.attempt(
          "response cache (key)",
          (): string | undefined => cache.key(request, caller.tenant, shareOf(options)) || undefined,
          () => undefined
        )
      : Effect.undefined

  const lookup = (key: string) =>
    degraded.guard("response cache (look-up)", () => cache.lookup(key), Option.none<AssistantMessage>())

  const admit = Effect.fnUntraced(function* (named: Omit<Job, "key" | "sent" | "led" | "waiting">) {
    const { caller, options, request } = named
    const key = yield* keyOf(request, caller, options)
    const job: Job = { ...named, key, sent: false, led: false, waiting: 0 }
    if (key === undefined || options.cache === "refresh") return { job, hit: undefined }
    const known = yield* lookup(key)
    if (Option.isNone(known)) return { job, hit: undefined }
    const message = known.value
    const settlement = yield* Effect.uninterruptible(accounts.saved(job, message.usage, "hit"))
    return { job, hit: { message, headers: {}, settlement } }
  })

  const receive: Reception["receive"] = Effect.fnUntraced(function* (asked, caller, options) {
    const { model, id, reason } = (yield* route(asked, caller)) ?? stay(asked)
    const request = id === asked.model ? asked : { ...asked, model: id }
    const requestedModel = request === asked ? undefined : asked.model
    const requestId = options.requestId ?? nextId()
    return yield* admit({ requestId, caller, request, model, options, requestedModel, routing: reason, failed: [] })
  })

  const divert: Reception["divert"] = Effect.fnUntraced(function* (job, error) {
    const why = noRoom(error, job.model)
    if (why === undefined || job.caller.allowFallback !== true || !tokenManagementEnabled) return undefined
    const { caller, options, request } = job
    const failed = [...job.failed, job.model]
    const instead = () => router.instead(request, caller, failed, why)
    const route = yield* degraded.guard<Route | undefined, never>("model router", instead, undefined)
    if (route === undefined) return undefined
    yield* Effect.logInfo(route.reason)
    const requestedModel = job.requestedModel ?? request.model
    // A reservation of its own: the first one is closed.
    const requestId = `${job.requestId}#${route.model.family}`
    const diverted = { ...request, model: route.id }
    const { model, reason } = route
    return yield* admit({
      requestId,
      caller,
      request: diverted,
      model,
      options,
      requestedModel,
      routing: reason,
      failed
    })
  })

  const observe: Reception["observe"] = (job, status, headers, kind) =>
    enabled.rateLimit
      ? degraded.guard(
          "rate limiter (observe)",
          () => limiter.observe(job.model.id, status, headers, kind, accountOf(job.options)),
          undefined
        )
      : Effect.void

  const observeFailure: Reception["observeFailure"] = (job, error) => {
    const reason = error?.reason
    if (reason === undefined || !("headers" in reason)) return Effect.void
    return observe(job, reason.status, reason.headers, reason._tag === "RateLimited" ? reason.kind : undefined)
  }

  const store: Reception["store"] = ({ key }, message) =>
    key === undefined
      ? Effect.void
      : Effect.asVoid(degraded.guard("response cache (store)", () => cache.store(key, message), false))

  return { receive, divert, observe, observeFailure, store } satisfies Reception
})
