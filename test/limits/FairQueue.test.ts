import { assert, describe, it } from "@effect/vitest"
import { Backlog } from "../../src/limits/Backlog.ts"
import { type Entry, FairQueue, goesBefore } from "../../src/limits/FairQueue.ts"
import { Ledger } from "../../src/limits/Ledger.ts"
import { between, jain, random } from "./support.ts"

const filled = (ledger: Ledger, arrivals: ReadonlyArray<readonly [tenant: string, agent: string, tokens: number]>) => {
  const queue = new FairQueue<string>(ledger)
  arrivals.forEach(([tenant, agent, tokens], seq) => {
    queue.add({ value: `${tenant}/${agent}/${seq}`, seq, tenant, weight: 1, agent, tokens }, 0)
  })
  return queue
}

const take = (queue: FairQueue<string>): Entry<string> | undefined => {
  const entry = queue.peek()
  if (entry !== undefined) queue.serve(entry)
  return entry
}

const drain = (queue: FairQueue<string>): ReadonlyArray<string> => {
  const order: Array<string> = []
  for (let entry = take(queue); entry !== undefined; entry = take(queue)) order.push(entry.value)
  return order
}

describe("FairQueue", () => {
  it("keeps the order of arrival inside an agent", () => {
    const queue = filled(new Ledger(), [
      ["a", "x", 9],
      ["a", "x", 1],
      ["a", "x", 5]
    ])
    assert.deepStrictEqual(drain(queue), ["a/x/0", "a/x/1", "a/x/2"])
  })

  it("takes turns between tenants, and inside a tenant between agents, by tokens and not by requests", () => {
    const queue = filled(new Ledger(), [
      ["a", "x", 10],
      ["a", "x", 10],
      ["a", "y", 10],
      ["a", "y", 10],
      ["b", "z", 5],
      ["b", "z", 5],
      ["b", "z", 5]
    ])
    assert.deepStrictEqual(drain(queue), ["a/x/0", "b/z/4", "b/z/5", "a/y/2", "b/z/6", "a/x/1", "a/y/3"])
  })

  it("shares tokens equally between tenants with requests of unequal size, and by weight where weights differ", () => {
    const next = random(7)
    const queue = new FairQueue<number>(new Ledger())
    const weights = [1, 1, 1, 3]
    let seq = 0
    for (let tenant = 0; tenant < 4; tenant++) {
      for (let n = 0; n < 4_000; n++) {
        const tokens = between(next, 1, 1_000 * (tenant + 1))
        const agent = String(n % 3)
        seq += 1
        queue.add({ value: tenant, seq, tenant: String(tenant), weight: weights[tenant] ?? 1, agent, tokens }, 0)
      }
    }
    const served = [0, 0, 0, 0]
    for (let n = 0; n < 3_000; n++) {
      const entry = queue.peek()
      if (entry === undefined) break
      queue.serve(entry)
      served[entry.value] = (served[entry.value] ?? 0) + entry.tokens
    }
    assert.isAtLeast(jain(served.map((tokens, tenant) => tokens / (weights[tenant] ?? 1))), 0.999)
  })

  it("lets whoever was away rejoin at the present", () => {
    const ledger = new Ledger()
    const queue = filled(ledger, [
      ["a", "x", 10],
      ["a", "x", 10],
      ["a", "x", 10],
      ["a", "x", 10]
    ])
    take(queue)
    take(queue)
    queue.add({ value: "late", seq: 10, tenant: "b", weight: 1, agent: "x", tokens: 10 }, 0)
    queue.add({ value: "later", seq: 11, tenant: "b", weight: 1, agent: "x", tokens: 10 }, 0)
    assert.deepStrictEqual(drain(queue), ["late", "a/x/2", "later", "a/x/3"])
  })

  it("does not let a tenant that asks again at once pass one that waits", () => {
    const ledger = new Ledger()
    const queue = filled(ledger, [
      ["a", "x", 10],
      ["b", "x", 10],
      ["b", "x", 10]
    ])
    const order: Array<string> = []
    for (let n = 0; n < 6; n++) {
      const entry = take(queue)
      order.push(entry?.value.slice(0, 1) ?? "-")
      if (entry?.value.startsWith("a") === true) {
        queue.add({ value: "a again", seq: 20 + n, tenant: "a", weight: 1, agent: "x", tokens: 10 }, 0)
      }
    }
    assert.deepStrictEqual(order, ["a", "b", "b", "a", "a", "a"])
  })

  it("counts a tenant once, however many model classes it uses", () => {
    const ledger = new Ledger()
    const one = filled(ledger, [
      ["a", "x", 10],
      ["a", "x", 10],
      ["a", "x", 10],
      ["b", "x", 10],
      ["b", "x", 10]
    ])
    const two = filled(ledger, [
      ["a", "x", 10],
      ["a", "x", 10],
      ["a", "x", 10]
    ])
    const served = { a: 0, b: 0 }
    for (let n = 0; n < 4; n++) {
      const [x, y] = [one.peek(), two.peek()]
      const entry = x !== undefined && (y === undefined || goesBefore(x, y)) ? x : y
      if (entry === undefined) break
      ;(entry === x ? one : two).serve(entry)
      served[entry.value.startsWith("a") ? "a" : "b"] += 1
    }
    assert.deepStrictEqual(served, { a: 2, b: 2 })
  })

  it("cancels anywhere, and serves the rest in the order it had", () => {
    const next = random(3)
    const ledger = new Ledger()
    const queue = new FairQueue<number>(ledger)
    const entries: Array<Entry<number>> = []
    for (let seq = 0; seq < 2_000; seq++) {
      const [tenant, agent] = [String(between(next, 0, 9)), String(between(next, 0, 5))]
      entries.push(queue.add({ value: seq, seq, tenant, weight: 1, agent, tokens: between(next, 1, 50) }, 0))
    }
    const dropped = new Set(entries.filter(() => next() < 0.5))
    for (const entry of dropped) queue.drop(entry)
    for (const entry of dropped) queue.drop(entry)
    const seen = new Map<object, number>()
    let count = 0
    for (let entry = queue.peek(); entry !== undefined; entry = queue.peek()) {
      queue.serve(entry)
      assert.isFalse(dropped.has(entry))
      assert.isAbove(entry.seq, seen.get(entry.agent) ?? -1)
      seen.set(entry.agent, entry.seq)
      count += 1
    }
    assert.strictEqual(count, entries.length - dropped.size)
    assert.isTrue(queue.empty)
    assert.strictEqual(ledger.active, 0)
  })

  it("forgets tenants and agents that came and went", () => {
    const ledger = new Ledger()
    const queue = new FairQueue<number>(ledger)
    for (let seq = 0; seq < 50_000; seq++) {
      queue.add({ value: seq, seq, tenant: `tenant ${seq}`, weight: 1, agent: `agent ${seq}`, tokens: 10 }, seq)
      const entry = queue.peek()
      if (entry !== undefined) queue.serve(entry)
    }
    assert.isAtMost(ledger.size, 200)
  })
})

describe("Backlog", () => {
  const put = (backlog: Backlog<string>, priority: "interactive" | "normal" | "background", seq: number, now: number) =>
    backlog.add(priority, "class", { value: priority, seq, tenant: "t", weight: 1, agent: "a", tokens: 100 }, now)

  it("serves higher priorities first", () => {
    const backlog = new Backlog<string>()
    put(backlog, "background", 1, 0)
    put(backlog, "normal", 2, 0)
    put(backlog, "interactive", 3, 0)
    assert.deepStrictEqual(
      backlog.order(1_000).map((level) => level.priority),
      ["interactive", "normal", "background"]
    )
  })

  it("gives lower priorities their share once they have waited long enough, and no more than that", () => {
    const backlog = new Backlog<string>()
    const served: Record<string, number> = {}
    for (let seq = 0; seq < 1_000; seq++)
      for (const p of ["interactive", "normal", "background"] as const) put(backlog, p, seq, 0)
    const places = new Map<string, Array<ReturnType<typeof put>>>()
    for (let n = 0; n < 130; n++) {
      const [level] = backlog.order(60_000)
      if (level === undefined) break
      served[level.priority] = (served[level.priority] ?? 0) + 1
      const entry = backlog.peek(level, () => true)
      const queue = level.queues.get("class")
      if (entry === undefined || queue === undefined) break
      backlog.serve({ entry, arrivedAt: 0, modelClass: "class", level, queue }, 60_000)
      places.clear()
    }
    assert.isAtLeast(served.interactive ?? 0, 90)
    assert.isAtLeast(served.normal ?? 0, 17)
    assert.isAtLeast(served.background ?? 0, 10)
  })
})
