import { hash } from "node:crypto"
import { Clock, Effect, Option, Random, Redacted } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import type { ClaudeError } from "../claude/ClaudeError.ts"
import type { Caller } from "../domain/Caller.ts"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { type RefusalKind, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { ModelRouter } from "../models/ModelRouter.ts"
import { Settings } from "../Settings.ts"
import type { Accounts } from "./Accounts.ts"
import type { Degraded } from "./Degraded.ts"
import type { GovernedAnswer, RunOptions } from "./Governed.ts"
import type { Job } from "./Job.ts"

/** What comes before and after the upstream call: naming, routing, cache, and what headers teach the limiter. */
export interface Reception {
  /** Routes and names the request; answers it at once when the cache can. */
  readonly receive: (request: MessagesRequest, caller: Caller, options: RunOptions) => Effect.Effect<Received>
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

/** Unless the caller says so itself: with a key of its own it shares only with who has the same key, because that pays. */
const scopeOf = ({ apiKey, cacheScope }: RunOptions): string | undefined =>
  cacheScope ?? (apiKey && hash("sha256", Redacted.value(apiKey)))

/** What else must be equal for two requests to share an answer. */
const shareOf = (options: RunOptions): ReadonlyArray<string> => {
  const scope = scopeOf(options)
  return scope === undefined ? betasOf(options) : [...betasOf(options), `scope ${scope}`]
}

/** Unique in all processes: when the process began, 64 random bits, a counter. */
const makeIds = Effect.gen(function* () {
  const started = yield* Clock.currentTimeMillis
  const random = [yield* Random.nextIntBetween(0, 2 ** 32), yield* Random.nextIntBetween(0, 2 ** 32)]
  const prefix = [started, ...random].map((part) => part.toString(36)).join("")
  let count = 0
  return (): string => `req_${prefix}_${(++count).toString(36)}`
})

export const makeReception = Effect.fnUntraced(function* (degraded: Degraded, accounts: Accounts) {
  const { enabled, tokenManagementEnabled } = yield* Settings
  const router = yield* ModelRouter
  const catalog = yield* ModelCatalog
  const cache = yield* ResponseCache
  const limiter = yield* TokenRateLimiter
  const nextId = yield* makeIds

  const stay = (request: MessagesRequest) => ({ model: catalog.get(request.model), id: request.model, reason: "" })

  const route = (request: MessagesRequest, caller: Caller) =>
    tokenManagementEnabled
      ? degraded.guard("model router", () => router.route(request, caller), undefined)
      : Effect.map(catalog.resolve(request.model), (model) => ({ ...stay(request), model }))

  const keyOf = (request: MessagesRequest, caller: Caller, options: RunOptions) =>
    enabled.responseCache && options.cache !== "off"
      ? degraded.attempt(
          "response cache (key)",
          (): string | undefined => cache.key(request, caller.tenant, shareOf(options)) || undefined,
          () => undefined
        )
      : Effect.undefined

  const lookup = (key: string) =>
    degraded.guard("response cache (look-up)", () => cache.lookup(key), Option.none<AssistantMessage>())

  const receive: Reception["receive"] = Effect.fnUntraced(function* (asked, caller, options) {
    const { model, id } = (yield* route(asked, caller)) ?? stay(asked)
    const request = id === asked.model ? asked : { ...asked, model: id }
    const key = yield* keyOf(request, caller, options)
    const job: Job = {
      requestId: options.requestId ?? nextId(),
      caller,
      request,
      model,
      key,
      options,
      requestedModel: request === asked ? undefined : asked.model,
      sent: false,
      led: false,
      waiting: 0
    }
    if (key === undefined || options.cache === "refresh") return { job, hit: undefined }
    const known = yield* lookup(key)
    if (Option.isNone(known)) return { job, hit: undefined }
    const message = known.value
    const settlement = yield* Effect.uninterruptible(accounts.saved(job, message.usage, "hit"))
    return { job, hit: { message, headers: {}, settlement } }
  })

  const observe: Reception["observe"] = (job, status, headers, kind) =>
    enabled.rateLimit
      ? degraded.guard("rate limiter (observe)", () => limiter.observe(job.model.id, status, headers, kind), undefined)
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

  return { receive, observe, observeFailure, store } satisfies Reception
})
