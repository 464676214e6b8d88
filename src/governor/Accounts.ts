import { Cause, Clock, Effect, Exit, Scope } from "effect"
import { free, type Pass, PrefixGate } from "../cache/PrefixGate.ts"
import type { BudgetExceeded } from "../costs/CostTracker.ts"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { zero as noMoney } from "../domain/Money.ts"
import { consumed, zero as noUsage } from "../domain/Usage.ts"
import type { RateLimitError } from "../limits/TokenRateLimiter.ts"
import { ModelRouter } from "../models/ModelRouter.ts"
import { Settings } from "../Settings.ts"
import { type Account, makeAccount } from "./Account.ts"
import { afresh } from "./afresh.ts"
import { makeBookkeeping, rawTokensOf } from "./Bookkeeping.ts"
import type { Degraded } from "./Degraded.ts"
import { makeForecast, type Prefix, prefixOf } from "./Forecast.ts"
import type { Settlement } from "./Governed.ts"
import { type Job, scopeOf } from "./Job.ts"

export interface Accounts {
  /**
   * Waits for siblings that are writing the same prompt prefix, then takes dollars, then tokens. To be run uninterruptibly: it lets itself be interrupted while it waits, and only there.
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
  const gate = yield* PrefixGate
  const forecast = makeForecast()

  /** By the upper bound, while that fits the limit. */
  const expectation = Effect.fnUntraced(function* (job: Job, prefix: Prefix) {
    const guess = yield* books.estimate(job)
    const now = yield* Clock.currentTimeMillis
    const bound = forecast.expect(prefix, job.request, job.model.id, guess.upperBound, now)
    if (bound.input <= rateLimitTokensPerMinute) return bound
    return forecast.expect(prefix, job.request, job.model.id, guess.tokens, now)
  })

  const enter = (job: Job, scope: Scope.Scope): Effect.Effect<Pass> =>
    Effect.interruptible(
      degraded.guard(
        "prefix gate",
        () => Scope.provide(gate.enter(job.request, scopeOf(job.options) ?? ""), scope),
        free
      )
    )

  const opened = Effect.fnUntraced(function* (job: Job, scope: Scope.Closeable) {
    const prefix = prefixOf(job.request, job.caller)
    // Before anything is taken: who waits for a sibling holds neither a slot nor tokens of this minute.
    const pass = yield* enter(job, scope)
    const expected = yield* expectation(job, prefix)
    yield* Effect.onError(Effect.interruptible(books.reserveMoney(job, expected)), (cause) =>
      Cause.hasFails(cause) ? Effect.void : afresh(books.giveMoneyBack(job))
    )
    const reservation = yield* Effect.onError(Effect.interruptible(books.reserveTokens(job, expected, scope)), () =>
      afresh(books.giveMoneyBack(job))
    )
    const sentAt = yield* Clock.currentTimeMillis
    return makeAccount(books, job, {
      expected,
      pass,
      reservation,
      scope,
      sentAt,
      onWhole: (usage) => {
        forecast.learn(prefix, job.model.id, usage, sentAt)
        router.observe(job.caller, job.model, usage, sentAt)
      }
    })
  })

  const open: Accounts["open"] = (job) =>
    Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      return Effect.onError(opened(job, scope), () => afresh(Scope.close(scope, Exit.void)))
    })

  const saved: Accounts["saved"] = Effect.fnUntraced(function* (job, api, cache) {
    const usage = consumed(api)
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
