import type { Priority } from "../domain/Caller.ts"
import { type Arrival, type Entry, FairQueue, goesBefore } from "./FairQueue.ts"
import { Ledger } from "./Ledger.ts"

export const priorities = ["interactive", "normal", "background"] as const satisfies ReadonlyArray<Priority>

/**
 * How a lower priority is kept from starving: once its oldest request has waited `afterMillis`, it gets `share` of the
 * tokens that higher priorities are served, ahead of them. No more than that, so that a heap of old background work
 * cannot hold up a person.
 */
export interface Ageing {
  readonly afterMillis: number
  readonly share: number
}

export const ageing: Readonly<Record<Priority, Ageing>> = {
  interactive: { afterMillis: Number.POSITIVE_INFINITY, share: 0 },
  normal: { afterMillis: 10_000, share: 0.2 },
  background: { afterMillis: 30_000, share: 0.1 }
}

export interface Place<A> {
  readonly entry: Entry<A>
  readonly arrivedAt: number
  readonly modelClass: string
  readonly level: Level<A>
  readonly queue: FairQueue<A>
}

/** One priority: a fair queue for each model class, the ledger they share, and the order of arrival over all of them. */
export class Level<A> {
  readonly priority: Priority
  readonly ledger = new Ledger()
  readonly queues = new Map<string, FairQueue<A>>()
  waiting = 0
  waitingTokens = 0
  /** Tokens that this level may take ahead of higher ones, earned while it aged. */
  credit = 0
  private arrivals: Array<Place<A>> = []
  private head = 0

  constructor(priority: Priority) {
    this.priority = priority
  }

  add(modelClass: string, arrival: Arrival<A>, now: number): Place<A> {
    const queue = this.queueOf(modelClass)
    const place = { entry: queue.add(arrival, now), arrivedAt: now, modelClass, level: this, queue }
    this.arrivals.push(place)
    this.waiting += 1
    this.waitingTokens += arrival.tokens
    if (this.arrivals.length > 2 * this.waiting + 64) this.compact()
    return place
  }

  /** To be called after an entry has left its queue. */
  left({ entry, modelClass, queue }: Place<A>): void {
    this.waiting -= 1
    this.waitingTokens -= entry.tokens
    if (this.waiting === 0) this.credit = 0
    if (queue.empty) this.queues.delete(modelClass)
  }

  /** When the oldest waiting request arrived. */
  oldestAt(): number | undefined {
    for (;;) {
      const place = this.arrivals[this.head]
      if (place === undefined || place.entry.queued) return place?.arrivedAt
      this.head += 1
    }
  }

  aged(now: number): boolean {
    if (this.waiting === 0) return false
    const oldest = this.oldestAt()
    return oldest !== undefined && now - oldest >= ageing[this.priority].afterMillis
  }

  private queueOf(modelClass: string): FairQueue<A> {
    const known = this.queues.get(modelClass)
    if (known !== undefined) return known
    const queue = new FairQueue<A>(this.ledger)
    this.queues.set(modelClass, queue)
    return queue
  }

  private compact(): void {
    this.arrivals = this.arrivals.filter(({ entry }) => entry.queued)
    this.head = 0
  }
}

/** All waiting requests, and in which order they should be tried. */
export class Backlog<A> {
  readonly levels: ReadonlyArray<Level<A>> = priorities.map((priority) => new Level<A>(priority))
  /** Requests that wait. */
  waiting = 0
  private readonly turn: Array<Level<A>> = []

  get waitingTokens(): number {
    return this.levels.reduce((sum, level) => sum + level.waitingTokens, 0)
  }

  /** Tenants with waiting requests (a tenant counts once per priority). */
  get tenants(): number {
    return this.levels.reduce((sum, level) => sum + level.ledger.active, 0)
  }

  add(priority: Priority, modelClass: string, arrival: Arrival<A>, now: number): Place<A> {
    this.waiting += 1
    return this.level(priority).add(modelClass, arrival, now)
  }

  cancel(place: Place<A>): void {
    if (!place.entry.queued) return
    this.waiting -= 1
    place.queue.drop(place.entry)
    place.level.left(place)
  }

  /** Takes a request out because it is admitted. Lower priorities that aged earn their share of it. */
  serve(place: Place<A>, now: number): void {
    const { tokens } = place.entry
    let below = false
    for (const level of this.levels) {
      if (level === place.level) below = true
      else if (below && level.aged(now)) {
        level.credit = Math.min(level.waitingTokens, level.credit + tokens * ageing[level.priority].share)
      }
    }
    place.level.credit = Math.max(0, place.level.credit - tokens)
    this.waiting -= 1
    place.queue.serve(place.entry)
    place.level.left(place)
  }

  /** The priorities in the order in which they may go now: those whose ageing has earned the next request, then as named. */
  order(now: number): ReadonlyArray<Level<A>> {
    this.turn.length = 0
    for (const level of this.levels) {
      if (level.credit > 0 && level.aged(now) && level.credit >= this.nextTokens(level)) this.turn.push(level)
    }
    for (const level of this.levels) {
      if (level.waiting > 0 && !this.turn.includes(level)) this.turn.push(level)
    }
    return this.turn
  }

  /** Who goes next in `level`, of the model classes that `open` admits. */
  peek(level: Level<A>, open: (modelClass: string, entry: Entry<A>) => boolean): Entry<A> | undefined {
    let best: Entry<A> | undefined
    for (const [modelClass, queue] of level.queues) {
      const entry = queue.peek()
      if (entry === undefined || (best !== undefined && !goesBefore(entry, best))) continue
      if (open(modelClass, entry)) best = entry
    }
    return best
  }

  /** When the oldest waiting request arrived. */
  oldestAt(): number | undefined {
    const times = this.levels.flatMap((level) => level.oldestAt() ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }

  *entries(): Generator<Entry<A>> {
    for (const level of this.levels) for (const queue of level.queues.values()) yield* queue.entries()
  }

  private nextTokens(level: Level<A>): number {
    return this.peek(level, () => true)?.tokens ?? Number.POSITIVE_INFINITY
  }

  private level(priority: Priority): Level<A> {
    const level = this.levels.find((one) => one.priority === priority)
    if (level === undefined) throw new RangeError(`${priority} is not a priority: use ${priorities.join(", ")}`)
    return level
  }
}
