import { limitedInput, type Usage } from "../domain/Usage.ts"
import { Backlog, type Level } from "./Backlog.ts"
import type { Entry } from "./FairQueue.ts"
import type { Account } from "./Ledger.ts"
import { type Limits, queueFull, tenantShareOfQueue, tooLargeFor } from "./Limits.ts"
import { Pace } from "./Pace.ts"
import { Pools } from "./Pools.ts"
import { type Ask, makeTicket, type Refusal, type Ticket } from "./Ticket.ts"
import { minute, TokenWindow } from "./TokenWindow.ts"
import type { Answer, Load, UpstreamClass } from "./UpstreamClass.ts"

const whole = (n: number): number => (n > 0 ? Math.ceil(n) : 0)
const longestAhead = minute
/** An embedder's function may answer anything: with a weight that is none the order would have no first. */
const usable = (weight: number): number => (weight > 0 && Number.isFinite(weight) ? weight : 1)

/**
 * The rules of admission, without time of its own and without effects: who may go now, and when the next one may.
 * Every method takes `now`, in milliseconds of a clock that never goes back.
 */
export class Admission {
  readonly limits: Limits
  readonly backlog = new Backlog<Ticket>()
  readonly input: TokenWindow
  readonly output: TokenWindow
  readonly requests = new TokenWindow(Number.POSITIVE_INFINITY)
  readonly pools: Pools
  /** After `next` found nobody: when to ask again, `Infinity` when only a change can help. */
  wakeAt = Number.POSITIVE_INFINITY
  private readonly open = new Map<number, Ticket>()
  private readonly pace: Pace
  private readonly waitingOf = new Map<string, number>()
  private lastId = 0

  constructor(limits: Limits) {
    this.limits = limits
    const { enforced, inputPerMinute, outputPerMinute } = limits
    this.input = new TokenWindow(enforced ? inputPerMinute : Number.POSITIVE_INFINITY)
    this.output = new TokenWindow(enforced ? (outputPerMinute ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY)
    this.pace = new Pace(this.input.limit)
    this.pools = new Pools(this.input.limit)
  }

  /** Admitted requests whose scope is still open. */
  get inFlight(): number {
    return this.open.size
  }

  /** Puts a request into the queue, or says why it may not. */
  enqueue(now: number, ask: Ask): Ticket | Refusal {
    const load = { input: whole(ask.inputTokens), output: Math.min(whole(ask.outputTokens), this.output.limit) }
    const name = this.pools.nameOf(ask.model, ask.account)
    const upstream = this.pools.get(name, ask.account)
    const refusal = this.tooLarge(now, load, upstream) ?? this.full(ask.caller.tenant)
    if (refusal !== undefined) return refusal
    const { agent, priority, tenant } = ask.caller
    this.lastId += 1
    const ticket = makeTicket({ id: this.lastId, model: ask.model, upstream, tenant, load, arrivedAt: now })
    const weight = usable(this.limits.weight(tenant))
    const arrival = { value: ticket, seq: ticket.id, tenant, weight, agent, tokens: this.cost(load) }
    ticket.place = this.backlog.add(priority, name, arrival, now)
    this.waitingOf.set(tenant, (this.waitingOf.get(tenant) ?? 0) + 1)
    return ticket
  }

  /** Who may be admitted now, if anybody; it stays in the queue until `admit` or `close`. */
  next(now: number): Ticket | undefined {
    this.wakeAt = Number.POSITIVE_INFINITY
    for (const level of this.backlog.order(now)) {
      const entry = this.backlog.peek(level, (_, candidate) => this.classOpen(now, candidate.value))
      if (entry === undefined) continue
      const ready = this.readyAt(now, entry)
      if (ready <= now) return entry.value
      this.wakeAt = Math.min(this.wakeAt, ready)
      // Nobody overtakes one that does not fit: what is free collects for it. One that must keep pace lets others by.
      return this.fitsAt(now, entry.value) <= now ? this.lightest(now, level) : undefined
    }
    return undefined
  }

  /** A request of a tenant below its share, that need not keep pace. */
  private lightest(now: number, level: Level<Ticket>): Ticket | undefined {
    for (const queue of level.queues.values()) {
      const entry = queue.lightest()
      if (entry === undefined || !this.classOpen(now, entry.value)) continue
      const ready = this.readyAt(now, entry)
      if (ready <= now) return entry.value
      this.wakeAt = Math.min(this.wakeAt, ready)
    }
    return undefined
  }

  /** Why a request can never be admitted; upstream's limit may have become known while it waited. */
  tooLarge(now: number, { input }: Load, upstream: UpstreamClass): Refusal | undefined {
    const { limit } = this.input
    if (input > limit) return { reason: "TooLarge", message: tooLargeFor(input, limit, "RATE_LIMIT_TOKENS_PER_MINUTE") }
    const theirs = this.limits.enforced ? (upstream.saidLately(now) ?? input) : input
    return input > theirs
      ? { reason: "TooLarge", message: tooLargeFor(input, theirs, "upstream for this model") }
      : undefined
  }

  admit(now: number, ticket: Ticket): void {
    const { load, place, upstream } = ticket
    if (place === undefined) return
    this.backlog.serve(place, now)
    this.gone(ticket)
    this.pace.admit(now, load.input)
    const { tenant } = place.entry
    tenant.aheadUntil = Math.max(now, tenant.aheadUntil)
    this.stretch(now, tenant, place.entry.tokens)
    upstream.admit(now, load)
    ticket.inputMark = this.input.add(now, load.input)
    ticket.outputMark = this.output.add(now, load.output)
    this.requests.add(now, 1)
    ticket.state = "admitted"
    ticket.admittedAt = now
    this.open.set(ticket.id, ticket)
  }

  /** Corrects an admission to what upstream counted; only the first time. */
  settle(now: number, id: number, usage: Usage): void {
    const ticket = this.open.get(id)
    if (ticket?.state !== "admitted") return
    ticket.state = "settled"
    this.correct(now, ticket, { input: limitedInput(usage), output: usage.output })
  }

  /** Ends a ticket in whatever state it is; what was not settled is given back. Answers whether it was in flight. */
  close(now: number, ticket: Ticket): boolean {
    const { place, state } = ticket
    ticket.state = "closed"
    if (state === "waiting" && place !== undefined) {
      this.backlog.cancel(place)
      this.gone(ticket)
    }
    if (state === "admitted") this.correct(now, ticket, { input: 0, output: 0 })
    return this.open.delete(ticket.id)
  }

  observe(now: number, model: string, answer: Answer, account?: string): void {
    this.pools.get(this.pools.nameOf(model, account), account).observe(now, answer)
    // What one client's own key may do says nothing about the others'.
    if (account === undefined && answer.status === 429 && answer.kind !== "spend") this.pace.restart(now)
  }

  /** How long a request that comes now will probably wait, in milliseconds. */
  expectedWait(now: number): number {
    const excess = this.backlog.waitingTokens - this.input.room(now)
    return excess > 0 ? Math.ceil((excess * minute) / this.input.limit) : 0
  }

  private correct(now: number, ticket: Ticket, actual: Load): void {
    const { admittedAt, load, upstream } = ticket
    const more = { input: actual.input - load.input, output: actual.output - load.output }
    this.input.correct(now, ticket.inputMark, more.input)
    this.pace.correct(now, more.input)
    if (ticket.place !== undefined) this.reckon(now, ticket.place.entry, more.input)
    const inTime = this.output.correct(now, ticket.outputMark, more.output)
    // A long answer was still being written in the last minute, although its admission has left the window.
    if (!inTime) this.output.add(now, Math.ceil((actual.output * minute) / (now - admittedAt)))
    upstream.correct(now, admittedAt, more)
  }

  /** Fair shares are of the scarcer of both kinds of tokens. */
  private cost({ input, output }: Load): number {
    const weighed = Number.isFinite(this.output.limit) ? (output * this.input.limit) / this.output.limit : 0
    return Math.max(1, input, weighed)
  }

  private classOpen(now: number, ticket: Ticket): boolean {
    if (!this.limits.enforced) return true
    const ready = ticket.upstream.readyAt(now, ticket.load)
    // What never fits is let through to be refused.
    if (ready <= now || ready === Number.POSITIVE_INFINITY) return true
    this.wakeAt = Math.min(this.wakeAt, ready)
    return false
  }

  private fitsAt(now: number, { load }: Ticket): number {
    return Math.max(this.input.readyAt(now, load.input), this.output.readyAt(now, load.output))
  }

  private readyAt(now: number, entry: Entry<Ticket>): number {
    const fits = this.fitsAt(now, entry.value)
    const { aheadUntil } = entry.tenant
    if (aheadUntil <= now) return fits
    return Math.max(fits, Math.min(aheadUntil, this.pace.readyAt(now, entry.value.load.input)))
  }

  /** Shares are of what was really used. */
  private reckon(now: number, { agent, tenant }: Entry<Ticket>, more: number): void {
    tenant.owed += more
    agent.owed += more
    this.stretch(now, tenant, more)
  }

  /** A tenant that had more than its share lately keeps pace; the others only have to fit. */
  private stretch(now: number, tenant: Account, tokens: number): void {
    const sharers = Math.max(2, this.backlog.tenants)
    const millis = (tokens * minute * sharers) / (this.input.limit * tenant.weight)
    tenant.aheadUntil = Math.min(now + longestAhead, tenant.aheadUntil + millis)
  }

  private full(tenant: string): Refusal | undefined {
    const { enforced, maxQueued } = this.limits
    if (!enforced) return undefined
    const { waiting } = this.backlog
    if (waiting >= maxQueued) return { reason: "QueueFull", message: queueFull(waiting, "all tenants") }
    const own = this.waitingOf.get(tenant) ?? 0
    const most = Math.ceil(maxQueued * tenantShareOfQueue)
    return own >= most ? { reason: "QueueFull", message: queueFull(own, `tenant ${tenant}`) } : undefined
  }

  private gone({ tenant }: Ticket): void {
    const left = (this.waitingOf.get(tenant) ?? 1) - 1
    if (left > 0) this.waitingOf.set(tenant, left)
    else this.waitingOf.delete(tenant)
  }
}
