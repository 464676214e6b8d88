import { Heap, type Keyed } from "./Heap.ts"
import type { Account, Ledger } from "./Ledger.ts"

/** A request in the queue. */
export interface Entry<A> {
  readonly value: A
  /** Arrival number over all queues. */
  readonly seq: number
  readonly tokens: number
  readonly tenant: Account
  readonly agent: Account
  readonly place: AgentNode<A>
  previous: Entry<A> | undefined
  next: Entry<A> | undefined
  queued: boolean
}

interface AgentNode<A> extends Keyed {
  readonly name: string
  readonly account: Account
  readonly tenant: TenantNode<A>
  first: Entry<A> | undefined
  last: Entry<A> | undefined
}

interface TenantNode<A> extends Keyed {
  readonly account: Account
  readonly agents: Heap<AgentNode<A>>
  readonly share: ShareNode<A>
}

/** A tenant in the order of how far it is ahead of its share. */
interface ShareNode<A> extends Keyed {
  readonly account: Account
  readonly agents: Heap<AgentNode<A>>
}

export interface Arrival<A> {
  readonly value: A
  readonly seq: number
  readonly tenant: string
  readonly weight: number
  readonly agent: string
  readonly tokens: number
}

/** What orders a node only grows while it waits, so an old key is a lower bound, brought up to date when it gets to the top. */
const front = <N extends Keyed>(heap: Heap<N>, current: (node: N) => number): N | undefined => {
  for (;;) {
    const top = heap.top
    if (top === undefined) return undefined
    const key = current(top)
    if (top.key >= key) return top
    top.key = key
    heap.moved(top)
  }
}

const tagOf = ({ account }: { readonly account: Account }): number => account.tag
const aheadOf = ({ account }: { readonly account: Account }): number => account.aheadUntil
const firstOf = <A>(tenant: ShareNode<A> | undefined): Entry<A> | undefined =>
  tenant === undefined ? undefined : front(tenant.agents, tagOf)?.first

/** Which of two waiting requests of one priority goes first, by what their tenants and agents have had. */
export const goesBefore = <A>(a: Entry<A>, b: Entry<A>): boolean => {
  if (a.tenant !== b.tenant && a.tenant.tag !== b.tenant.tag) return a.tenant.tag < b.tenant.tag
  if (a.tenant === b.tenant && a.agent !== b.agent && a.agent.tag !== b.agent.tag) return a.agent.tag < b.agent.tag
  return a.seq < b.seq
}

/**
 * The waiting requests of one priority and model class: weighted fair sharing of tokens between tenants, inside a tenant
 * between its agents, and arrival order inside an agent. O(log n) to add, to take and to cancel.
 */
export class FairQueue<A> {
  private readonly ledger: Ledger
  private readonly tenantNodes = new Map<Account, TenantNode<A>>()
  private readonly agentNodes = new Map<Account, AgentNode<A>>()
  private readonly tenants = new Heap<TenantNode<A>>()
  private readonly shares = new Heap<ShareNode<A>>()

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  get empty(): boolean {
    return this.tenants.size === 0
  }

  add(arrival: Arrival<A>, now: number): Entry<A> {
    const tenant = this.ledger.join(arrival.tenant, arrival.weight, now)
    const agent = tenant.members.join(arrival.agent, 1, now)
    const place = this.agentNodes.get(agent) ?? this.agentNode(arrival, tenant, agent)
    const { value, seq, tokens } = arrival
    const entry: Entry<A> = {
      value,
      seq,
      tokens,
      tenant,
      agent,
      place,
      previous: place.last,
      next: undefined,
      queued: true
    }
    if (place.last === undefined) place.first = entry
    else place.last.next = entry
    place.last = entry
    return entry
  }

  /** Who goes next. */
  peek(): Entry<A> | undefined {
    return firstOf(front(this.tenants, tagOf))
  }

  /** The next request of the tenant that is least ahead of its share of the limit. */
  lightest(): Entry<A> | undefined {
    return firstOf(front(this.shares, aheadOf))
  }

  /** Takes an entry out because it is served: its tenant and agent have had so many tokens more. */
  serve(entry: Entry<A>): void {
    this.ledger.charge(entry.tenant, entry.tokens)
    entry.tenant.members.charge(entry.agent, entry.tokens)
    this.drop(entry)
  }

  /** Takes an entry out, wherever it stands. */
  drop(entry: Entry<A>): void {
    if (!entry.queued) return
    entry.queued = false
    entry.tenant.members.leave(entry.agent)
    this.ledger.leave(entry.tenant)
    this.unlink(entry)
    const { place } = entry
    if (place.first !== undefined) return
    const { tenant } = place
    tenant.agents.remove(place)
    this.agentNodes.delete(place.account)
    if (tenant.agents.size > 0) return
    this.tenants.remove(tenant)
    this.shares.remove(tenant.share)
    this.tenantNodes.delete(tenant.account)
  }

  /** Every entry that waits, in no particular order. */
  *entries(): Generator<Entry<A>> {
    for (const agent of this.agentNodes.values()) {
      for (let entry = agent.first; entry !== undefined; entry = entry.next) yield entry
    }
  }

  private unlink(entry: Entry<A>): void {
    const { next, place, previous } = entry
    if (previous === undefined) place.first = next
    else previous.next = next
    if (next === undefined) place.last = previous
    else next.previous = previous
    // A served request may live long: it must not hold on to all that came after it.
    entry.previous = undefined
    entry.next = undefined
  }

  private agentNode({ agent: name, seq: order }: Arrival<A>, owner: Account, account: Account): AgentNode<A> {
    const tenant = this.tenantNodes.get(owner) ?? this.tenantNode(order, owner)
    const key = account.tag
    const node: AgentNode<A> = { key, order, index: -1, name, account, tenant, first: undefined, last: undefined }
    this.agentNodes.set(account, node)
    tenant.agents.push(node)
    return node
  }

  private tenantNode(order: number, account: Account): TenantNode<A> {
    const agents = new Heap<AgentNode<A>>()
    const share: ShareNode<A> = { key: account.aheadUntil, order, index: -1, account, agents }
    const node: TenantNode<A> = { key: account.tag, order, index: -1, account, agents, share }
    this.tenantNodes.set(account, node)
    this.tenants.push(node)
    this.shares.push(share)
    return node
  }
}
