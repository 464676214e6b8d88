import { format, type NanoUsd, nanoUsd } from "../domain/Money.ts"

/** Who a budget is for. Agents belong to their tenant. */
export type BudgetScope = "all" | "tenant" | "agent" | "conversation" | "model"

/** Dollars a day: one budget for everything, or one for each tenant, agent, conversation or model. */
export interface BudgetRule {
  readonly scope: BudgetScope
  /** Only this tenant, agent, conversation or model; each one has a budget of its own otherwise. */
  readonly key?: string | undefined
  readonly limit: NanoUsd
  /** Each one's own limit, asked for at every request, instead of `limit`; null: it has none. */
  readonly limitFor?: ((key: string) => NanoUsd | null) | undefined
  /** Warns only, as COST_ALERT_THRESHOLD_USD does. */
  readonly soft?: boolean | undefined
}

/** What a request is charged to. */
export interface Subject {
  readonly tenant: string
  readonly agent: string
  readonly conversation: string | null
  readonly model: string
}

/** A budget's state at a moment that somebody should hear of. */
export interface BudgetNotice {
  readonly budget: string
  /** Percent of the limit that was just reached: 50, 80, 90 or 100. */
  readonly level: number
  readonly spent: NanoUsd
  readonly limit: NanoUsd
  /** Requests are refused: the budget is used up, or was too small for one of them. */
  readonly stopped: boolean
}

export interface Refusal {
  readonly budget: string
  readonly limit: NanoUsd
  readonly spent: NanoUsd
  readonly reserved: NanoUsd
  /** The first refusal of this budget today. */
  readonly first: boolean
}

interface Bucket {
  readonly name: string
  readonly rule: BudgetRule
  readonly key: string
  spent: number
  reserved: number
  /** Limits granted on top, today. */
  grants: number
  level: number
  refused: boolean
  /** The dearest of the requests that were refused. */
  wanted: number
}

const emptyBucket = (name: string, rule: BudgetRule, key: string): Bucket => ({
  name,
  rule,
  key,
  spent: 0,
  reserved: 0,
  grants: 0,
  level: 0,
  refused: false,
  wanted: 0
})

const levels = [100, 90, 80, 50]

/** The subject's own name in a scope; null where the scope has none for it. */
const keyIn = ({ scope }: BudgetRule, subject: Subject): string | null => (scope === "all" ? "" : subject[scope])

const idOf = (index: number, rule: BudgetRule, key: string, subject: Subject): string =>
  rule.scope === "agent" ? JSON.stringify([index, subject.tenant, key]) : `${index}:${key}`

const nameOf = (rule: BudgetRule, key: string, subject: Subject): string => {
  if (rule.scope === "agent") return `agent ${subject.tenant}/${key}`
  if (rule.scope !== "all") return `${rule.scope} ${key}`
  return rule.soft === true ? "alert threshold" : "daily budget"
}

const limitOf = ({ grants, key, rule }: Bucket): number =>
  (rule.limitFor === undefined ? rule.limit : (rule.limitFor(key) ?? Number.POSITIVE_INFINITY)) * (1 + grants)
const exhausted = (bucket: Bucket): boolean => bucket.rule.soft !== true && bucket.spent >= limitOf(bucket)

/** The highest level that is spent; 0: none. */
const levelOf = (bucket: Bucket): number => levels.find((level) => bucket.spent * 100 >= limitOf(bucket) * level) ?? 0

const noticeOf = (bucket: Bucket): BudgetNotice => ({
  budget: bucket.name,
  level: bucket.level,
  spent: nanoUsd(bucket.spent),
  // A tenant's limit may be gone by now; what was announced is then told without it.
  limit: nanoUsd(Math.min(limitOf(bucket), Number.MAX_SAFE_INTEGER)),
  stopped: bucket.refused
})

/**
 * The day's budgets, in memory, O(rules) per request. What is reserved counts as spent until it is settled, so requests
 * in flight cannot overshoot together. Nothing here waits: a call is atomic.
 */
export class Budgets {
  private readonly rules: ReadonlyArray<BudgetRule>
  private buckets = new Map<string, Bucket>()

  constructor(rules: ReadonlyArray<BudgetRule>) {
    this.rules = rules
  }

  /** Takes `estimate` from every budget of the subject, or from none: then says which one refused. */
  reserve(subject: Subject, estimate: number): Refusal | undefined {
    const buckets = this.of(subject)
    for (const bucket of buckets) {
      if (bucket.rule.soft === true || bucket.spent + bucket.reserved + estimate <= limitOf(bucket)) continue
      const first = !bucket.refused
      bucket.refused = true
      bucket.wanted = Math.max(bucket.wanted, estimate)
      const { name: budget, spent, reserved } = bucket
      return { budget, limit: nanoUsd(limitOf(bucket)), spent: nanoUsd(spent), reserved: nanoUsd(reserved), first }
    }
    for (const bucket of buckets) bucket.reserved += estimate
    return undefined
  }

  /** Gives a reservation back. */
  release(subject: Subject, estimate: number): void {
    for (const bucket of this.of(subject)) bucket.reserved = Math.max(0, bucket.reserved - estimate)
  }

  /**
   * The subject's budgets that refused only for what was in flight: nothing is any more, and the dearest that was refused
   * would fit now. Answers their names once.
   */
  eased(subject: Subject): ReadonlyArray<string> {
    const eased = this.of(subject).filter(
      (bucket) =>
        bucket.refused && bucket.reserved === 0 && !exhausted(bucket) && bucket.spent + bucket.wanted <= limitOf(bucket)
    )
    for (const bucket of eased) Object.assign(bucket, { refused: false, wanted: 0 })
    return eased.map(({ name }) => name)
  }

  /** Adds what was spent (or takes back what was not); answers the budgets that reached a new level by it. */
  charge(subject: Subject, cost: number): ReadonlyArray<BudgetNotice> {
    const notices: Array<BudgetNotice> = []
    for (const bucket of this.of(subject)) {
      bucket.spent += cost
      const reached = levelOf(bucket)
      if (reached <= bucket.level) continue
      bucket.level = reached
      bucket.refused ||= exhausted(bucket)
      notices.push(noticeOf(bucket))
    }
    return notices
  }

  /** True when the budget for everything is used up. */
  get isExhausted(): boolean {
    return this.rules.some((rule, index) => {
      const bucket = rule.scope === "all" ? this.buckets.get(`${index}:`) : undefined
      return bucket !== undefined && exhausted(bucket)
    })
  }

  /** The least of the limits a day that a tenant has of its own, as granted; null: none. */
  tenantLimit(tenant: string): NanoUsd | null {
    const limits = this.ofTenant(tenant).map((bucket) => limitOf(bucket))
    const least = Math.min(...limits)
    return Number.isFinite(least) ? nanoUsd(least) : null
  }

  /** True when one of its own budgets is used up. */
  isTenantExhausted(tenant: string): boolean {
    return this.ofTenant(tenant).some(exhausted)
  }

  /** Begins a new day: nothing is spent, what is in flight stays reserved. Answers the budgets that had been announced. */
  reset(): ReadonlyArray<BudgetNotice> {
    const announced = [...this.buckets.values()].filter((bucket) => bucket.level > 0 || bucket.refused)
    const notices = announced.map(noticeOf)
    for (const [key, bucket] of this.buckets) {
      if (bucket.reserved === 0) this.buckets.delete(key)
      else Object.assign(bucket, { spent: 0, grants: 0, level: 0, refused: false, wanted: 0 })
    }
    return notices
  }

  /** Grants every budget that is used up or has refused its limit once more, until the day ends. Answers them as they were. */
  grant(): ReadonlyArray<BudgetNotice> {
    const stopped = [...this.buckets.values()].filter((bucket) => bucket.refused || exhausted(bucket))
    const before = stopped.map(noticeOf)
    for (const bucket of stopped) {
      bucket.grants++
      bucket.refused = false
      bucket.wanted = 0
      // Of the limit that holds now, the levels are told anew.
      bucket.level = Math.min(bucket.level, levelOf(bucket))
    }
    return before
  }

  /** Extra limits by budget, to be kept over a restart. */
  get grants(): Readonly<Record<string, number>> {
    const granted = [...this.buckets.values()].filter((bucket) => bucket.grants > 0)
    return Object.fromEntries(granted.map((bucket) => [bucket.name, bucket.grants]))
  }

  /** Puts back what `grants` told, for the budgets that exist. */
  restoreGrants(grants: Readonly<Record<string, number>>): void {
    for (const bucket of this.buckets.values()) {
      const granted = grants[bucket.name]
      if (granted === undefined) continue
      bucket.grants = granted
      bucket.level = Math.min(bucket.level, levelOf(bucket))
      bucket.refused = exhausted(bucket)
    }
  }

  private ofTenant(tenant: string): ReadonlyArray<Bucket> {
    return this.rules.flatMap((rule, index) => {
      if (rule.scope !== "tenant" || rule.soft === true || (rule.key !== undefined && rule.key !== tenant)) return []
      return [this.buckets.get(`${index}:${tenant}`) ?? emptyBucket("", rule, tenant)]
    })
  }

  private of(subject: Subject): ReadonlyArray<Bucket> {
    const found: Array<Bucket> = []
    for (const [index, rule] of this.rules.entries()) {
      const key = keyIn(rule, subject)
      if (key === null || (rule.key !== undefined && rule.key !== key)) continue
      const id = idOf(index, rule, key, subject)
      const known = this.buckets.get(id)
      const bucket = known ?? emptyBucket(nameOf(rule, key, subject), rule, key)
      if (known === undefined) this.buckets.set(id, bucket)
      found.push(bucket)
    }
    return found
  }
}

/** "$9.50 of $10.00". */
export const share = (spent: NanoUsd, limit: NanoUsd): string => `${format(spent)} of ${format(limit)}`
