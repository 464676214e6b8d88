import { Effect, Scope } from "effect"
import { type BudgetExceeded, type CostSettle, CostTracker } from "../costs/CostTracker.ts"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { type NanoUsd, zero as noMoney } from "../domain/Money.ts"
import { promptTokens, type Usage } from "../domain/Usage.ts"
import { Events } from "../events/Events.ts"
import { type RateLimitError, type Reservation, TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { type Estimate, TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { Degraded } from "./Degraded.ts"
import type { Expected } from "./Forecast.ts"
import type { Settlement } from "./Governed.ts"
import { asksForAnHour } from "./hourMarks.ts"
import { accountOf, type Job } from "./Job.ts"
import { eventOf, type Outcome, settlementOf } from "./Outcome.ts"

/** What upstream billed, or what it would have. */
export interface Billed {
  readonly usage: Usage
  /** The figures were completed from what was received. */
  readonly partial: boolean
  /** Upstream's own words: iterations, searches, and the multipliers in them (`inference_geo`, `speed`). */
  readonly api?: ApiUsage | undefined
}

/** The limiter, the books, the estimator and the listeners, each behind its switch and unable to fail a request. */
export interface Bookkeeping {
  readonly estimate: (job: Job) => Effect.Effect<Estimate>
  readonly reserveMoney: (job: Job, expected: Expected) => Effect.Effect<void, BudgetExceeded>
  readonly giveMoneyBack: (job: Job) => Effect.Effect<void>
  readonly reserveTokens: (
    job: Job,
    expected: Expected,
    scope: Scope.Scope
  ) => Effect.Effect<Reservation | undefined, RateLimitError>
  readonly settleTokens: (reservation: Reservation | undefined, usage: Usage) => Effect.Effect<void>
  readonly settleMoney: (job: Job, billed: Billed) => Effect.Effect<NanoUsd>
  readonly saveMoney: (job: Job, billed: Billed) => Effect.Effect<NanoUsd>
  readonly learn: (job: Job, usage: Usage) => Effect.Effect<void>
  /** Tells listeners and caller what the request came to. */
  readonly tell: (job: Job, rawTokens: number, outcome: Outcome) => Effect.Effect<Settlement>
}

/**
 * Prompt tokens that the whole history would have cost. Both sides of the comparison are then upstream's: the caller's
 * estimate is scaled by what its estimate of the prompt itself came to.
 */
export const rawTokensOf = ({ options }: Job, usage: Usage): number => {
  const sent = promptTokens(usage)
  const { rawTokens = sent, sentTokens = sent } = options
  const scale = sent > 0 && sentTokens > 0 ? sent / sentTokens : 1
  return Math.max(0, Math.round(rawTokens * scale))
}

const text = (u: unknown): string | undefined => (typeof u === "string" ? u : undefined)

const entryOf = (job: Job, { api, partial, usage }: Billed): CostSettle => ({
  requestId: job.requestId,
  caller: job.caller,
  model: job.model.id,
  usage,
  apiUsage: api,
  requestedModel: job.requestedModel,
  geo: text(api?.inference_geo),
  speed: text(api?.speed),
  rawTokens: rawTokensOf(job, usage),
  partial
})

const makeMoney = Effect.fnUntraced(function* (degraded: Degraded) {
  const { enabled } = yield* Settings
  const costs = yield* CostTracker
  const catalog = yield* ModelCatalog

  const price = (job: Job, { api, usage }: Omit<Billed, "partial">) =>
    degraded.attempt(
      "price list",
      () => catalog.price(job.model, usage, { geo: text(api?.inference_geo), speed: text(api?.speed) }),
      () => noMoney
    )

  /** All uncached input as the dearest writes asked for, and an output that is rarely exceeded: rather too much than too little. */
  const reserveMoney: Bookkeeping["reserveMoney"] = Effect.fnUntraced(function* (job, expected) {
    if (!enabled.costTracking) return
    const forAnHour = asksForAnHour(job.request)
    const usage: Usage = {
      input: 0,
      cacheWrite5m: forAnHour ? 0 : expected.input,
      cacheWrite1h: forAnHour ? expected.input : 0,
      cacheRead: expected.cacheRead,
      output: expected.outputBound
    }
    const { inference_geo, speed } = job.request
    const estimate = yield* price(job, { usage, api: { inference_geo, speed } })
    const { caller, model, requestId } = job
    const reserve = () => costs.reserve({ requestId, caller, model: model.id, estimate })
    yield* degraded.guard("cost tracker (reserve)", reserve, undefined)
  })

  const giveMoneyBack: Bookkeeping["giveMoneyBack"] = (job) =>
    enabled.costTracking
      ? degraded.guard("cost tracker (release)", () => costs.release(job.requestId), undefined)
      : Effect.void

  const settleMoney: Bookkeeping["settleMoney"] = (job, billed) =>
    enabled.costTracking
      ? degraded.guard("cost tracker (settle)", () => costs.settle(entryOf(job, billed)), noMoney)
      : price(job, billed)

  const saveMoney: Bookkeeping["saveMoney"] = (job, billed) =>
    enabled.costTracking
      ? degraded.guard("cost tracker (saved)", () => costs.saved(entryOf(job, billed)), noMoney)
      : price(job, billed)

  return { reserveMoney, giveMoneyBack, settleMoney, saveMoney }
})

const makeTokens = Effect.fnUntraced(function* (degraded: Degraded) {
  const { enabled } = yield* Settings
  const limiter = yield* TokenRateLimiter
  const estimator = yield* TokenEstimator

  const estimate: Bookkeeping["estimate"] = (job) =>
    degraded.attempt(
      "token estimator (estimate)",
      () => estimator.estimate(job.request),
      () => ({ tokens: 0, upperBound: 0 })
    )

  const reserveTokens: Bookkeeping["reserveTokens"] = (job, { input, output }, scope) => {
    if (!enabled.rateLimit) return Effect.undefined
    const { caller, model, options } = job
    const { deadlineMillis } = options
    const account = accountOf(options)
    const wanted = { model: model.id, caller, inputTokens: input, outputTokens: output, account, deadlineMillis }
    return degraded.guard<Reservation | undefined, RateLimitError>(
      "rate limiter (reserve)",
      () => Scope.provide(limiter.reserve(wanted), scope),
      undefined
    )
  }

  const settleTokens: Bookkeeping["settleTokens"] = (reservation, usage) =>
    reservation === undefined
      ? Effect.void
      : degraded.guard("rate limiter (settle)", () => limiter.settle(reservation, usage), undefined)

  const learn: Bookkeeping["learn"] = (job, usage) =>
    degraded.guard("token estimator (observe)", () => estimator.observe(job.request, usage), undefined)

  return { estimate, reserveTokens, settleTokens, learn }
})

export const makeBookkeeping = Effect.fnUntraced(function* (degraded: Degraded) {
  const events = yield* Events
  const tell: Bookkeeping["tell"] = (job, rawTokens, outcome) =>
    Effect.as(
      degraded.guard("event stream", () => events.publish(eventOf(job, rawTokens, outcome)), undefined),
      settlementOf(job, outcome)
    )
  return { ...(yield* makeMoney(degraded)), ...(yield* makeTokens(degraded)), tell } satisfies Bookkeeping
})
