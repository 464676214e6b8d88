import { Clock, Effect, Exit, Scope } from "effect"
import type { Pass } from "../cache/PrefixGate.ts"
import { type NanoUsd, zero as noMoney } from "../domain/Money.ts"
import { add, fromApi, zero as noUsage, promptTokens, type Usage } from "../domain/Usage.ts"
import type { Reservation } from "../limits/TokenRateLimiter.ts"
import { type Billed, type Bookkeeping, rawTokensOf } from "./Bookkeeping.ts"
import type { Expected } from "./Forecast.ts"
import type { Settlement } from "./Governed.ts"
import type { Job } from "./Job.ts"
import type { Outcome } from "./Outcome.ts"

/** What one admitted request holds: tokens, dollars and a concurrency slot. Closed once, by `settle` or `release`. */
export interface Account {
  readonly expected: Expected
  /** Whole milliseconds it waited for admission. */
  readonly queueMillis: number
  /** To be run when the response begins: upstream has the prompt's prefix, and whoever waits for that goes on. */
  readonly begun: Effect.Effect<void>
  readonly settle: (billed: Billed) => Effect.Effect<Settlement>
  /** Upstream billed nothing: everything is given back. */
  readonly release: (status: "error" | "rejected") => Effect.Effect<Settlement>
  /** Books an attempt that may have been billed and was followed by another. */
  readonly abandoned: (attempt: number, output: number) => Effect.Effect<void>
  /** What upstream would bill by the estimate. */
  readonly guess: (output: number) => Usage
}

export interface Holding {
  readonly expected: Expected
  readonly pass: Pass
  readonly reservation: Reservation | undefined
  /** Holds the pass and the reservation. */
  readonly scope: Scope.Closeable
  /** Milliseconds since the epoch. */
  readonly sentAt: number
  /** Told the usage of a whole answer, without compactions. */
  readonly onWhole: (usage: Usage) => void
}

export const makeAccount = (books: Bookkeeping, job: Job, holding: Holding): Account => {
  const { expected, onWhole, pass, reservation, scope, sentAt } = holding
  const queueMillis = pass.waitedMillis + (reservation?.waitedMillis ?? 0)
  let closed: Settlement | undefined
  let lost = noUsage

  const outcome = (usage: Usage, costNanoUsd: NanoUsd, status: Outcome["status"]): Effect.Effect<Outcome> =>
    Effect.map(Clock.currentTimeMillis, (now) => ({
      usage,
      costNanoUsd,
      savedNanoUsd: noMoney,
      cache: job.key === undefined ? "bypass" : "miss",
      queueMillis,
      upstreamMillis: Math.max(0, Math.round(now - sentAt)),
      status
    }))

  // Effect.gen, not fnUntraced: that costs more to make than to run, and these run once.
  const settle: Account["settle"] = (billed) =>
    Effect.gen(function* () {
      if (closed !== undefined) return closed
      const { api, partial, usage } = billed
      yield* books.settleTokens(reservation, add(usage, lost))
      yield* Scope.close(scope, Exit.void)
      const cost = yield* books.settleMoney(job, billed)
      // A compaction's figures are not those of the prompt.
      const answered = api === undefined ? usage : fromApi(api)
      if (!partial && promptTokens(answered) > 0) {
        onWhole(answered)
        yield* books.learn(job, answered)
      }
      closed = yield* books.tell(job, rawTokensOf(job, usage), yield* outcome(usage, cost, partial ? "partial" : "ok"))
      return closed
    })

  const release: Account["release"] = (status) =>
    Effect.gen(function* () {
      if (closed !== undefined) return closed
      if (lost !== noUsage) yield* books.settleTokens(reservation, lost)
      yield* Scope.close(scope, Exit.void)
      yield* books.giveMoneyBack(job)
      closed = yield* books.tell(job, 0, yield* outcome(noUsage, noMoney, status))
      return closed
    })

  const guess: Account["guess"] = (output) => ({
    input: expected.input,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    cacheRead: expected.cacheRead,
    output
  })

  const abandoned: Account["abandoned"] = (attempt, output) =>
    Effect.gen(function* () {
      const usage = guess(output)
      lost = add(lost, usage)
      const own = { ...job, requestId: `${job.requestId}#${attempt}` }
      const cost = yield* books.settleMoney(own, { usage, partial: true })
      yield* books.tell(own, rawTokensOf(own, usage), yield* outcome(usage, cost, "partial"))
    })

  return { expected, queueMillis, begun: pass.begun, settle, release, abandoned, guess }
}
