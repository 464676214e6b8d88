import type { Priority } from "../domain/Caller.ts"
import type { Admission } from "./Admission.ts"
import type { Level } from "./Backlog.ts"
import type { Entry } from "./FairQueue.ts"
import type { Account } from "./Ledger.ts"
import type { Ticket } from "./Ticket.ts"
import { minute } from "./TokenWindow.ts"

/** A request in the queue as an operator sees it. */
export interface WaitingRequest {
  readonly id: number
  readonly tenant: string
  readonly agent: string
  readonly model: string
  readonly priority: Priority
  readonly inputTokens: number
  readonly waitedMillis: number
  /** 1: the next one. As things are: later arrivals may go first, for fairness or by priority. */
  readonly position: number
  readonly expectedWaitMillis: number
}

type Waiting = Entry<Ticket>

/** Virtual time at which each entry starts, when every account serves its entries in the given order. */
const starts = (
  entries: ReadonlyArray<Waiting>,
  account: (entry: Waiting) => Account
): ReadonlyMap<Waiting, number> => {
  const tags = new Map<Account, number>()
  const result = new Map<Waiting, number>()
  for (const entry of entries) {
    const owner = account(entry)
    const tag = tags.get(owner) ?? owner.tag
    result.set(entry, tag)
    tags.set(owner, tag + entry.tokens / owner.weight)
  }
  return result
}

const sorted = (entries: ReadonlyArray<Waiting>, start: ReadonlyMap<Waiting, number>): ReadonlyArray<Waiting> =>
  [...entries].sort((a, b) => (start.get(a) ?? 0) - (start.get(b) ?? 0) || a.seq - b.seq)

const inOrder = (level: Level<Ticket>): ReadonlyArray<Waiting> => {
  const arrived = [...level.queues.values()].flatMap((queue) => [...queue.entries()]).sort((a, b) => a.seq - b.seq)
  const insideTenants = sorted(
    arrived,
    starts(arrived, (entry) => entry.agent)
  )
  return sorted(
    insideTenants,
    starts(insideTenants, (entry) => entry.tenant)
  )
}

/** The first `count` waiting requests in the order in which they will probably go. O(n log n): for people, not for programs. */
export const viewQueue = (admission: Admission, now: number, count: number): ReadonlyArray<WaitingRequest> => {
  const perMilli = admission.input.limit / minute
  let tokens = -admission.input.room(now)
  return admission.backlog.levels
    .flatMap((level) => inOrder(level).map((entry) => ({ entry, priority: level.priority })))
    .map(({ entry, priority }, index) => {
      const { arrivedAt, id, load, model, tenant } = entry.value
      tokens += load.input
      return {
        id,
        tenant,
        agent: entry.place.name,
        model,
        priority,
        inputTokens: load.input,
        waitedMillis: Math.round(now - arrivedAt),
        position: index + 1,
        expectedWaitMillis: tokens > 0 ? Math.ceil(tokens / perMilli) : 0
      }
    })
    .slice(0, count)
}
