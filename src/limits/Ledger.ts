/** How much service one member (a tenant, or an agent of a tenant) has had, in virtual time. */
export class Account {
  readonly weight: number
  /** Virtual time at which its next request may start: the tokens it was served, divided by its weight. */
  tag = 0
  /** Its requests that wait, over all model classes. */
  waiting = 0
  /** Tokens that earlier requests took beyond what they were charged (negative: less), for the next charge. */
  owed = 0
  /** Until then it has used more than its share of the limit, in milliseconds of the clock. */
  aheadUntil = Number.NEGATIVE_INFINITY
  private ledger: Ledger | undefined

  constructor(weight: number) {
    this.weight = weight
  }

  /** The same among its own members. */
  get members(): Ledger {
    this.ledger ??= new Ledger()
    return this.ledger
  }
}

const sweepFrom = 64

/**
 * Start-time fair queueing: whoever has had the least weighted service goes next, and whoever was away rejoins at the
 * present instead of being paid for his absence. One ledger is shared by the queues of all model classes, so that a
 * tenant cannot get two shares by using two models. Accounts that no longer matter are forgotten.
 */
export class Ledger {
  private readonly accounts = new Map<string, Account>()
  private virtualNow = 0
  private latestTag = 0
  private waitingRequests = 0
  private waitingAccounts = 0
  private sweepAt = sweepFrom

  /** Members with a request that waits. */
  get active(): number {
    return this.waitingAccounts
  }

  get size(): number {
    return this.accounts.size
  }

  /** One more request of `name` waits. */
  join(name: string, weight: number, now: number): Account {
    const account = this.accounts.get(name) ?? this.open(name, weight, now)
    if (account.waiting === 0) {
      account.tag = Math.max(account.tag, this.virtualNow)
      this.waitingAccounts += 1
    }
    account.waiting += 1
    this.waitingRequests += 1
    return account
  }

  /** `tokens` of the account's next request are served. */
  charge(account: Account, tokens: number): void {
    this.virtualNow = Math.max(this.virtualNow, account.tag)
    const net = tokens + account.owed
    account.owed = Math.min(0, net)
    account.tag += Math.max(0, net) / account.weight
    this.latestTag = Math.max(this.latestTag, account.tag)
  }

  /** One of its requests waits no longer. */
  leave(account: Account): void {
    account.waiting -= 1
    this.waitingRequests -= 1
    if (account.waiting === 0) this.waitingAccounts -= 1
    if (this.waitingRequests === 0) this.virtualNow = this.latestTag
  }

  private open(name: string, weight: number, now: number): Account {
    if (this.accounts.size >= this.sweepAt) this.sweep(now)
    const account = new Account(weight)
    this.accounts.set(name, account)
    return account
  }

  /** Twice as many accounts must come before the next sweep, so that one costs O(1) per account opened. */
  private sweep(now: number): void {
    for (const [name, account] of this.accounts) {
      const past = account.waiting === 0 && account.tag <= this.virtualNow && account.aheadUntil <= now
      if (past) this.accounts.delete(name)
    }
    this.sweepAt = Math.max(sweepFrom, 2 * this.accounts.size)
  }
}
