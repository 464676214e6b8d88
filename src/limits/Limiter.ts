import { Clock, Duration, Effect, Exit, Latch, Scope } from "effect"
import type { Event } from "../domain/Event.ts"
import type { Usage } from "../domain/Usage.ts"
import { Admission } from "./Admission.ts"
import { makeHerald } from "./Herald.ts"
import { limiterStats } from "./LimiterStats.ts"
import { deadlinePassed, type Limits, tenantLimit } from "./Limits.ts"
import { viewQueue } from "./QueueView.ts"
import { makeRequestRate, type RequestRate } from "./RequestRate.ts"
import { RateLimitError, type Reservation, type ReserveRequest } from "./Reservation.ts"
import type { Refusal, Ticket } from "./Ticket.ts"

/** What a 429 was about: `spend` does not pass by waiting, so the limiter does not wait for it. */
export type RefusalKind = "rate" | "ramp" | "spend"

/** An answer of upstream, and to whose key. */
interface Observed {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly kind?: RefusalKind | undefined
  readonly account?: string | undefined
}

const shortestRetry = 1_000

interface Rates {
  readonly all: RequestRate
  readonly tenants: RequestRate
}

/**
 * The admission rules in time: one fiber admits whoever may go, and sleeps exactly until the next one may, or until
 * something changes. Nothing here fails or waits except `reserve`.
 */
class Limiter {
  readonly admission: Admission
  readonly bell = Latch.makeUnsafe()
  private readonly clock: Clock.Clock
  /** Nobody need be asked but the rules: whoever may go at once is admitted when it comes. */
  private readonly isPrompt: boolean
  private freeSlots: number
  private readonly rates: Rates
  private readonly changed: () => void
  /** The request rate lets nobody through before then. */
  private rateReadyAt = Number.NEGATIVE_INFINITY

  constructor(admission: Admission, deps: { clock: Clock.Clock; rates: Rates; changed: () => void }) {
    this.admission = admission
    this.clock = deps.clock
    this.rates = deps.rates
    this.changed = deps.changed
    const { enforced, maxInFlight, requestsPerMinute } = admission.limits
    this.isPrompt = !enforced || requestsPerMinute === null
    this.freeSlots = enforced ? maxInFlight : Number.POSITIVE_INFINITY
  }

  /** Milliseconds of a clock that never goes back, whatever happens to the wall clock. */
  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  readonly reserve = (request: ReserveRequest): Effect.Effect<Reservation, RateLimitError, Scope.Scope> => {
    const { tenantRequestsPerMinute: perMinute } = this.admission.limits
    return perMinute === null
      ? this.queue(request)
      : Effect.andThen(this.withinTenantLimit(request, perMinute), this.queue(request))
  }

  private withinTenantLimit({ caller, model }: ReserveRequest, perMinute: number): Effect.Effect<void, RateLimitError> {
    return Effect.flatMap(this.rates.tenants.take(`tenant:${caller.tenant}`), (retryAfterMillis) => {
      if (retryAfterMillis === 0) return Effect.void
      const message = tenantLimit(caller.tenant, perMinute)
      return Effect.fail(new RateLimitError({ reason: "TenantLimit", model, message, retryAfterMillis }))
    })
  }

  private queue(request: ReserveRequest): Effect.Effect<Reservation, RateLimitError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.scope, (scope) => {
        const ticket = this.admission.enqueue(this.now(), request)
        if ("reason" in ticket) return Effect.fail(this.error(request.model, ticket))
        if (this.isPrompt) this.admitReady()
        if (ticket.state === "admitted")
          return Effect.as(Scope.addFinalizer(scope, this.close(ticket)), granted(ticket))
        this.bell.openUnsafe()
        // From here on the ticket is closed exactly once: right away when the wait ends badly, else with the scope.
        return restore(this.turn(ticket, request)).pipe(
          Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : this.close(ticket))),
          Effect.andThen(Scope.addFinalizer(scope, this.close(ticket))),
          Effect.map(() => granted(ticket))
        )
      })
    )
  }

  settle(reservation: Reservation, usage: Usage): void {
    this.admission.settle(this.now(), reservation.id, usage)
    this.stir()
  }

  observe(model: string, { account, headers, kind, status }: Observed): void {
    const epochMillis = this.clock.currentTimeMillisUnsafe()
    this.admission.observe(this.now(), model, { status, headers, kind, epochMillis }, account)
    this.stir()
  }

  /** Admits for as long as its fiber lives. */
  get run(): Effect.Effect<never> {
    const round = Effect.suspend(() => {
      this.bell.closeUnsafe()
      const admitted = this.isPrompt ? Effect.sync(() => this.admitReady()) : this.admitAll
      return Effect.flatMap(admitted, (until) => {
        if (until === Number.POSITIVE_INFINITY) return this.bell.await
        const millis = Math.max(1, Math.ceil(until - this.now()))
        return Effect.timeoutOption(this.bell.await, Duration.millis(millis))
      })
    })
    // Whoever waits depends on this fiber: a defect is logged, and must not end it.
    const surviving = Effect.catchDefect(round, (defect) =>
      Effect.andThen(
        Effect.logError("The rate limiter failed and goes on in a second.", defect),
        Effect.sleep("1 second")
      )
    )
    return Effect.forever(surviving)
  }

  /** Ends all waiting when the limiter goes away. */
  readonly abandon: Effect.Effect<void> = Effect.sync(() => {
    for (const entry of this.admission.backlog.entries()) entry.value.notify?.()
  })

  /** The next one whom the rules let go; those who never may are sent away. */
  private nextTicket(now: number): Ticket | undefined {
    for (;;) {
      const ticket = this.admission.next(now)
      const refusal = ticket && this.admission.tooLarge(now, ticket.load, ticket.upstream)
      if (ticket === undefined || refusal === undefined) return ticket
      this.dismiss(ticket, refusal)
    }
  }

  /** Admits everybody who may go, without asking the request rate; answers when to ask again. */
  private admitReady(): number {
    for (;;) {
      const now = this.now()
      const ticket = this.nextTicket(now)
      if (ticket === undefined) return this.admission.wakeAt
      if (this.freeSlots < 1) return Number.POSITIVE_INFINITY
      this.freeSlots--
      this.admit(ticket)
    }
  }

  /** The same, asking the request rate. */
  private readonly admitAll: Effect.Effect<number> = Effect.gen({ self: this }, function* () {
    for (;;) {
      const now = this.now()
      const ticket = this.nextTicket(now)
      if (ticket === undefined) return this.admission.wakeAt
      if (now < this.rateReadyAt) return this.rateReadyAt
      if (this.freeSlots < 1) return Number.POSITIVE_INFINITY
      this.freeSlots--
      const wait = yield* this.rates.all.take("requests")
      this.rateReadyAt = wait > 0 ? now + wait : now
      // Asking the rate may have taken time, in which the request may have been given up.
      if (wait > 0 || ticket.state !== "waiting") {
        this.freeSlots++
        continue
      }
      this.admit(ticket)
    }
  })

  private admit(ticket: Ticket): void {
    this.admission.admit(this.now(), ticket)
    ticket.notify?.()
    this.changed()
  }

  private dismiss(ticket: Ticket, refusal: Refusal): void {
    ticket.refusal = refusal
    this.admission.close(this.now(), ticket)
    ticket.notify?.()
  }

  private turn(ticket: Ticket, { deadlineMillis, model }: ReserveRequest): Effect.Effect<void, RateLimitError> {
    const wait = Effect.callback<void, RateLimitError>((resume) => {
      const answer = () => {
        if (ticket.state === "admitted") resume(Effect.void)
        else resume(ticket.refusal === undefined ? Effect.interrupt : Effect.fail(this.error(model, ticket.refusal)))
      }
      if (ticket.state === "waiting") ticket.notify = answer
      else answer()
    })
    if (deadlineMillis === undefined) return wait
    return Effect.timeoutOrElse(wait, {
      duration: Duration.millis(Math.max(1, deadlineMillis)),
      orElse: () =>
        Effect.fail(this.error(model, { reason: "DeadlineExceeded", message: deadlinePassed(deadlineMillis) }))
    })
  }

  private close(ticket: Ticket): Effect.Effect<void> {
    return Effect.sync(() => {
      // The bell comes last: who is woken must find the slot free.
      if (this.admission.close(this.now(), ticket)) this.freeSlots++
      this.stir()
    })
  }

  private stir(): void {
    this.changed()
    if (this.admission.backlog.waiting > 0) this.bell.openUnsafe()
  }

  private error(model: string, { message, reason }: { reason: RateLimitError["reason"]; message: string }) {
    const wait = Math.max(shortestRetry, this.admission.expectedWait(this.now()))
    return new RateLimitError({ reason, model, message, retryAfterMillis: reason === "TooLarge" ? 0 : wait })
  }
}

const granted = ({ admittedAt, arrivedAt, id, model }: Ticket): Reservation => ({
  id,
  model,
  waitedMillis: Math.round(admittedAt - arrivedAt)
})

/** The service's methods, on `limits`, telling `publish`. */
export const makeLimiter = Effect.fnUntraced(function* (
  limits: Limits,
  publish: (event: Event) => Effect.Effect<void>
) {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const rateOf = (perMinute: number | null) => makeRequestRate(limits.enforced ? perMinute : null, publish)
  const rates = { all: yield* rateOf(limits.requestsPerMinute), tenants: yield* rateOf(limits.tenantRequestsPerMinute) }
  const admission = new Admission(limits)
  const stats = Effect.sync(() => limiterStats(admission, limiter.now()))
  const herald = makeHerald(stats, publish)
  const limiter = new Limiter(admission, { clock, rates, changed: herald.changed })
  yield* Effect.addFinalizer(() => limiter.abandon)
  yield* Effect.forkScoped(limiter.run)
  yield* Effect.forkScoped(herald.run)
  return { limiter, stats, waiting: (count: number) => Effect.sync(() => viewQueue(admission, limiter.now(), count)) }
})
