import type { Priority } from "../../src/domain/Caller.ts"
import type { Usage } from "../../src/domain/Usage.ts"
import { Admission } from "../../src/limits/Admission.ts"
import { Heap } from "../../src/limits/Heap.ts"
import { defaultLimits, type Limits } from "../../src/limits/Limits.ts"
import type { Ticket } from "../../src/limits/Ticket.ts"

export const minute = 60_000
export const limit = 400_000
export const model = "claude-sonnet-5-5"

/** A repeatable stream of numbers in [0, 1). */
export const random = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const between = (next: () => number, low: number, high: number): number =>
  low + Math.floor(next() * (high - low + 1))

export const usageOf = (input: number, output = 0): Usage => ({
  input,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  cacheRead: 0,
  output
})

export interface Arrival {
  readonly at: number
  readonly tokens: number
  readonly tenant?: string
  readonly agent?: string
  readonly priority?: Priority
  readonly model?: string
  /** What it really takes, and how long after admission that is known; nothing is settled otherwise. */
  readonly actual?: { readonly tokens: number; readonly after: number }
  /** Given up this long after it arrived, wherever it is then. */
  readonly gone?: number
}

export interface Admitted {
  readonly arrival: Arrival
  readonly at: number
  readonly wait: number
  /** Tokens that count for it in the end. */
  tokens: number
}

interface Later {
  key: number
  order: number
  index: number
  readonly run: (now: number) => void
}

/** Runs arrivals through the rules in virtual time: everything that a service would do, without its fibers. */
export const simulate = (arrivals: ReadonlyArray<Arrival>, until: number, limits: Partial<Limits> = {}) => {
  const admission = new Admission({ ...defaultLimits, maxQueued: 1_000_000, ...limits })
  const log: Array<Admitted> = []
  const coming = new Heap<Later>()
  let sequence = 0
  const entries = new Map<Ticket, Arrival>()
  const admissions = new Map<Arrival, Admitted>()
  const schedule = (key: number, run: (now: number) => void) => coming.push({ key, order: sequence++, index: -1, run })
  const settle = (ticket: Ticket, admitted: Admitted, tokens: number) => (now: number) => {
    if (ticket.state !== "admitted") return
    admission.settle(now, ticket.id, usageOf(tokens))
    admitted.tokens = tokens
  }
  for (const arrival of arrivals) {
    schedule(arrival.at, (now) => {
      const { agent = "agent", priority = "normal", tenant = "tenant", tokens: inputTokens } = arrival
      const caller = { tenant, agent, priority }
      const ticket = admission.enqueue(now, { model: arrival.model ?? model, caller, inputTokens, outputTokens: 0 })
      if ("reason" in ticket) return
      entries.set(ticket, arrival)
      if (arrival.gone !== undefined) {
        schedule(now + arrival.gone, (later) => {
          const admitted = admissions.get(arrival)
          if (admitted !== undefined && ticket.state === "admitted") admitted.tokens = 0
          admission.close(later, ticket)
        })
      }
    })
  }
  const step = (now: number) => {
    for (let ticket = admission.next(now); ticket !== undefined; ticket = admission.next(now)) {
      admission.admit(now, ticket)
      const arrival = entries.get(ticket)
      if (arrival === undefined) throw new Error("admitted what never arrived")
      const admitted = { arrival, at: now, wait: now - arrival.at, tokens: ticket.load.input }
      log.push(admitted)
      admissions.set(arrival, admitted)
      if (arrival.actual !== undefined) {
        schedule(now + arrival.actual.after, settle(ticket, admitted, arrival.actual.tokens))
      }
    }
  }
  let now = 0
  for (;;) {
    for (let later = coming.top; later !== undefined && later.key <= now; later = coming.top) {
      coming.remove(later)
      later.run(now)
    }
    step(now)
    const next = Math.min(coming.top?.key ?? Number.POSITIVE_INFINITY, Math.ceil(admission.wakeAt))
    if (!Number.isFinite(next) || next > until) break
    now = Math.max(now, next)
  }
  return { admission, log, now }
}

/** The most tokens in any 60 seconds `[t, t + 60_000)`. */
export const worstWindow = (log: ReadonlyArray<{ readonly at: number; readonly tokens: number }>): number => {
  let worst = 0
  let sum = 0
  let first = 0
  for (const { at, tokens } of log) {
    sum += tokens
    for (let old = log[first]; old !== undefined && old.at <= at - minute; old = log[first]) {
      sum -= old.tokens
      first += 1
    }
    worst = Math.max(worst, sum)
  }
  return worst
}

export const total = (log: ReadonlyArray<{ readonly tokens: number }>): number =>
  log.reduce((sum, { tokens }) => sum + tokens, 0)

export const quantile = (values: ReadonlyArray<number>, q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0

/** 1 when all shares are equal, 1/n when one has everything. */
export const jain = (shares: ReadonlyArray<number>): number =>
  shares.reduce((a, b) => a + b, 0) ** 2 / (shares.length * shares.reduce((a, b) => a + b * b, 0))
