import { Cause, Clock, Effect, Exit, Scope } from "effect"
import type { BudgetExceeded } from "../costs/CostTracker.ts"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { zero as noMoney } from "../domain/Money.ts"
import { fromApi, zero as noUsage } from "../domain/Usage.ts"
import type { RateLimitError } from "../limits/TokenRateLimiter.ts"
import { ModelRouter } from "../models/ModelRouter.ts"
import { Settings } from "../Settings.ts"
import { type Account, makeAccount } from "./Account.ts"
import { afresh } from "./afresh.ts"
import { makeBookkeeping, rawTokensOf } from "./Bookkeeping.ts"
import type { Degraded } from "./Degraded.ts"
import { makeForecast, prefixOf } from "./Forecast.ts"
import type { Settlement } from "./Governed.ts"
import type { Job } from "./Job.ts"

export interface Accounts {
  /**
   * Takes dollars, then tokens. To be run uninterruptibly: it lets itself be interrupted while it waits, and only there.
   * Nothing stays taken on failure.
   */
  readonly open: (job: Job) => Effect.Effect<Account, BudgetExceeded | RateLimitError>
  /** Records an answer that cost nothing: `api` is what it would have cost. */
  readonly saved: (job: Job, api: ApiUsage, cache: "hit" | "coalesced") => Effect.Effect<Settlement>
}

export const makeAccounts = Effect.fnUntraced(function* (degraded: Degraded) {
  const { rateLimitTokensPerMinute } = yield* Settings
  const books = yield* makeBookkeeping(degraded)
  const router = yield* ModelRouter
  const forecast = makeForecast()

  /** By the upper bound, while that fits the limit. */
  const expectation = Effect.fnUntraced(function* (job: Job, prefix: string) {
    const guess = yield* books.estimate(job)
    const now = yield* Clock.currentTimeMillis
    const bound = forecast.expect(prefix, job.request, job.model.id, guess.upperBound, now)
    if (bound.input <= rateLimitTokensPerMinute) return bound
    return forecast.expect(prefix, job.request, job.model.id, guess.tokens, now)
  })

  const open: Accounts["open"] = Effect.fnUntraced(function* (job) {
    const prefix = prefixOf(job.request, job.caller)
    const expected = yield* expectation(job, prefix)
    yield* Effect.onError(Effect.interruptible(books.reserveMoney(job, expected)), (cause) =>
      Cause.hasFails(cause) ? Effect.void : afresh(books.giveMoneyBack(job))
    )
    const scope = Scope.makeUnsafe()
    const reservation = yield* Effect.onError(Effect.interruptible(books.reserveTokens(job, expected, scope)), () =>
      afresh(Effect.andThen(Scope.close(scope, Exit.void), books.giveMoneyBack(job)))
    )
    const sentAt = yield* Clock.currentTimeMillis
    return makeAccount(books, job, {
      expected,
      reservation,
      scope,
      sentAt,
      onWhole: (usage) => {
        forecast.learn(prefix, job.model.id, usage, sentAt)
        router.observe(job.caller, job.model, usage, sentAt)
      }
    })
  })

  const saved: Accounts["saved"] = Effect.fnUntraced(function* (job, api, cache) {
    const usage = fromApi(api)
    const savedNanoUsd = yield* books.saveMoney(job, { usage, partial: false, api })
    return yield* books.tell(job, rawTokensOf(job, usage), {
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
