import { Cause, Clock, Effect, Exit, Scope } from "effect"
import { type BudgetExceeded, CostTracker } from "../costs/CostTracker.ts"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { zero as noMoney } from "../domain/Money.ts"
import { fromApi, zero as noUsage, promptTokens, type Usage } from "../domain/Usage.ts"
import { Events } from "../events/Events.ts"
import { type RateLimitError, type Reservation, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { Degraded } from "./Degraded.ts"
import { type Expected, makeForecast, prefixOf } from "./Forecast.ts"
import type { Settlement } from "./Governed.ts"
import type { Job } from "./Job.ts"
import { eventOf, type Outcome, settlementOf } from "./Outcome.ts"

/** What one admitted request holds: tokens, dollars and a concurrency slot. Closed once, by `settle` or `release`. */
export interface Account {
  readonly expected: Expected
  /** Books what upstream billed. `partial`: the figures were completed from what was received. */
  readonly settle: (billed: Billed) => Effect.Effect<Settlement>
  /** Upstream billed nothing: everything is given back. */
  readonly release: Effect.Effect<Settlement>
}

export interface Billed {
  readonly usage: Usage
  readonly partial: boolean
  /** Upstream's own words, for the multipliers in them (`inference_geo`, `speed`). */
  readonly api?: ApiUsage | undefined
}

export interface Accounts {
  /** Takes dollars, then tokens. Waits in the limiter's queue, interruptible there and only there; nothing stays taken on failure. */
  readonly open: (job: Job) => Effect.Effect<Account, BudgetExceeded | RateLimitError>
  /** Records an answer that cost nothing: `api` is what it would have cost. */
  readonly saved: (job: Job, api: ApiUsage, cache: "hit" | "coalesced") => Effect.Effect<Settlement>
}

const text = (u: unknown): string | undefined => (typeof u === "string" ? u : undefined)

export const makeAccounts = Effect.fnUntraced(function* (degraded: Degraded) {
  const { enabled, rateLimitTokensPerMinute } = yield* Settings
  const costs = yield* CostTracker
  const limiter = yield* TokenRateLimiter
  const estimator = yield* TokenEstimator
  const catalog = yield* ModelCatalog
  const events = yield* Events
  const forecast = makeForecast()

  const costSettle = (
    job: Job,
    usage: Usage,
    rawTokens: number,
    billed: { partial: boolean; api?: ApiUsage | undefined }
  ) => ({
    requestId: job.requestId,
    caller: job.caller,
    model: job.model.id,
    usage,
    geo: text(billed.api?.inference_geo),
    speed: text(billed.api?.speed),
    rawTokens,
    partial: billed.partial
  })

  const priced = (job: Job, usage: Usage, api: ApiUsage | undefined) =>
    degraded.attempt(
      "price list",
      () => catalog.price(job.model, usage, { geo: text(api?.inference_geo), speed: text(api?.speed) }),
      () => noMoney
    )

  const rawOf = (job: Job, sent: number): number => Math.max(0, Math.round(job.options.rawTokens ?? sent))

  const told = (job: Job, rawTokens: number, outcome: Outcome): Effect.Effect<Settlement> =>
    Effect.as(
      degraded.guard("event stream", () => events.publish(eventOf(job, rawTokens, outcome)), undefined),
      settlementOf(job, outcome)
    )

  /** The whole prompt counts as uncached until its prefix has proved otherwise, by the upper bound while that fits the limit. */
  const expectation = Effect.fnUntraced(function* (job: Job, prefix: string, now: number) {
    const guess = yield* degraded.attempt(
      "token estimator (estimate)",
      () => estimator.estimate(job.request),
      () => ({ tokens: 0, upperBound: 0 })
    )
    const bound = forecast.expect(prefix, job.request, job.model.id, guess.upperBound, now)
    if (bound.input <= rateLimitTokensPerMinute) return bound
    return forecast.expect(prefix, job.request, job.model.id, guess.tokens, now)
  })

  /** All uncached input as 5-minute writes, and an output that is rarely exceeded: rather too much than too little. */
  const reserveMoney = Effect.fnUntraced(function* (job: Job, { input, cacheRead, outputBound }: Expected) {
    const usage: Usage = { input: 0, cacheWrite5m: input, cacheWrite1h: 0, cacheRead, output: outputBound }
    const words = { inference_geo: job.request.inference_geo, speed: job.request.speed }
    const estimate = yield* priced(job, usage, words)
    const { requestId, caller, model } = job
    yield* degraded.guard(
      "cost tracker (reserve)",
      () => costs.reserve({ requestId, caller, model: model.id, estimate }),
      undefined
    )
  })

  const giveMoneyBack = (job: Job): Effect.Effect<void> =>
    enabled.costTracking
      ? degraded.guard("cost tracker (release)", () => costs.release(job.requestId), undefined)
      : Effect.void

  const reserveTokens = (job: Job, expected: Expected, scope: Scope.Scope) =>
    degraded
      .guard<Reservation | undefined, RateLimitError>(
        "rate limiter (reserve)",
        () =>
          Scope.provide(
            limiter.reserve({
              model: job.model.id,
              caller: job.caller,
              inputTokens: expected.input,
              outputTokens: expected.output,
              deadlineMillis: job.options.deadlineMillis
            }),
            scope
          ),
        undefined
      )
      .pipe(Effect.interruptible)

  const account = (job: Job, prefix: string, expected: Expected, holding: Holding): Account => {
    const { reservation, scope, sentAt } = holding
    const queueMillis = reservation?.waitedMillis ?? 0
    const cache = job.key === undefined ? "bypass" : "miss"

    const elapsed = Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, Math.round(now - sentAt)))

    let closed: Settlement | undefined

    const settle = Effect.fnUntraced(function* ({ usage, partial, api }: Billed) {
      if (closed !== undefined) return closed
      if (reservation !== undefined) {
        yield* degraded.guard("rate limiter (settle)", () => limiter.settle(reservation, usage), undefined)
      }
      yield* Scope.close(scope, Exit.void)
      const rawTokens = rawOf(job, promptTokens(usage))
      const costNanoUsd = yield* enabled.costTracking
        ? degraded.guard(
            "cost tracker (settle)",
            () => costs.settle(costSettle(job, usage, rawTokens, { partial, api })),
            noMoney
          )
        : priced(job, usage, api)
      if (!partial) {
        forecast.learn(prefix, job.model.id, usage, sentAt)
        yield* degraded.guard("token estimator (observe)", () => estimator.observe(job.request, usage), undefined)
      }
      const status = partial ? "partial" : "ok"
      const upstreamMillis = yield* elapsed
      closed = yield* told(job, rawTokens, {
        usage,
        costNanoUsd,
        savedNanoUsd: noMoney,
        cache,
        queueMillis,
        upstreamMillis,
        status
      })
      return closed
    })

    const release = Effect.gen(function* () {
      if (closed !== undefined) return closed
      yield* Scope.close(scope, Exit.void)
      yield* giveMoneyBack(job)
      const upstreamMillis = yield* elapsed
      closed = yield* told(job, 0, {
        usage: noUsage,
        costNanoUsd: noMoney,
        savedNanoUsd: noMoney,
        cache,
        queueMillis,
        upstreamMillis,
        status: "error"
      })
      return closed
    })

    return { expected, settle, release }
  }

  const open: Accounts["open"] = Effect.fnUntraced(function* (job) {
    const prefix = prefixOf(job.request, job.caller)
    const expected = yield* expectation(job, prefix, yield* Clock.currentTimeMillis)
    if (enabled.costTracking) {
      yield* Effect.onError(Effect.interruptible(reserveMoney(job, expected)), (cause) =>
        Cause.hasFails(cause) ? Effect.void : giveMoneyBack(job)
      )
    }
    const scope = Scope.makeUnsafe()
    const reservation = enabled.rateLimit
      ? yield* Effect.onError(reserveTokens(job, expected, scope), () =>
          Effect.andThen(Scope.close(scope, Exit.void), giveMoneyBack(job))
        )
      : undefined
    const sentAt = yield* Clock.currentTimeMillis
    return account(job, prefix, expected, { reservation, scope, sentAt })
  })

  const saved: Accounts["saved"] = Effect.fnUntraced(function* (job, api, cache) {
    const usage = fromApi(api)
    const rawTokens = rawOf(job, promptTokens(usage))
    const savedNanoUsd = yield* enabled.costTracking
      ? degraded.guard(
          "cost tracker (saved)",
          () => costs.saved(costSettle(job, usage, rawTokens, { partial: false, api })),
          noMoney
        )
      : priced(job, usage, api)
    return yield* told(job, rawTokens, {
      usage: noUsage,
      costNanoUsd: noMoney,
      savedNanoUsd,
      cache,
      queueMillis: 0,
      upstreamMillis: 0,
      status: "ok"
    })
  })

  return { open, saved } satisfies Accounts
})

interface Holding {
  readonly reservation: Reservation | undefined
  readonly scope: Scope.Closeable
  readonly sentAt: number
}
